import { constants } from 'node:fs';
import { dirname } from 'node:path';
import type { ListQuery } from '../../../records/list.ts';
import type { Rows } from '../../../records/rows.ts';
import type { Appended } from '../../store.ts';
import { trialRows } from '../../trial-rows.ts';
import type { Connection } from '../engine/connection.ts';
import type { FileIdentity } from '../files/file-identity.ts';
import type { FileLayer } from '../files/file-layer.ts';
import { Appender } from './append.ts';
import { type Checkpointed, Checkpointer } from './checkpoint.ts';
import { Custody } from './custody.ts';
import { DatabaseError } from './database-error.ts';
import { type Slice, SliceReader } from './list/slice.ts';
import type { Migrated } from './migrations.ts';
import { closeQuietly, type DatabaseOptions, type OpenedFile, openFile } from './opening.ts';
import { sizeOf } from './quarantine.ts';
import { databaseError, isCorruption, lacksRoom } from './result-codes.ts';

export interface Figures {
  readonly databaseBytes: number;
  readonly walBytes: number;
  /** Frames of the WAL that wait to be moved into the database. */
  readonly walPendingFrames: number;
  readonly checkpoints: number;
  readonly checkpointFailures: number;
}

/**
 * The records in one SQLite file: everything that happens to it, in one thread, synchronously.
 *
 * A method that fails throws a {@link DatabaseError}, which tells whether all is as before, or the
 * connection in doubt: then close it and open anew.
 */
export class Database {
  readonly path: string;
  /** The open file, to notice when another one takes its place. */
  readonly file: FileIdentity;
  /** Its WAL. */
  readonly wal: FileIdentity | undefined;
  /** What the opening did to the file; undefined when it was up to date. */
  readonly migrated: Migrated | undefined;
  readonly #files: FileLayer;
  readonly #connection: Connection;
  readonly #custody: Custody;
  readonly #appender: Appender;
  readonly #slices: SliceReader;
  readonly #checkpointer: Checkpointer;
  readonly #now: () => number;
  #closed = false;
  /** The opening could not empty the WAL: see the constructor. */
  #isWalOwed = false;
  /** From {@link freeze} to {@link thaw}, though a checkpoint may have ended that the file is frozen. */
  #isCopied = false;
  /** The WAL is no longer the one at its path; what it held is in the database. */
  #walIsGone = false;

  /** Opens the file: creates, adopts, migrates or replaces it as needed. */
  static async open(options: DatabaseOptions): Promise<Database> {
    try {
      const opened = await openFile(options);
      try {
        return new Database(options, opened);
      } catch (error) {
        closeQuietly(opened.connection);
        throw error;
      }
    } catch (error) {
      throw databaseError(`open ${options.path}`, error);
    }
  }

  private constructor(options: DatabaseOptions, opened: OpenedFile) {
    const { connection } = opened;
    this.path = options.path;
    this.migrated = opened.migrated;
    this.#files = options.files;
    this.#connection = connection;
    this.#appender = new Appender(connection);
    this.#slices = new SliceReader(connection);
    this.#now = options.now ?? Date.now;
    this.#custody = new Custody({ ...options, ...opened });
    this.file = this.#custody.file;
    this.wal = this.#custody.wal;
    this.#checkpointer = new Checkpointer(
      connection,
      options.monotonic ?? (() => performance.now()),
      () => this.#files.space(this.path),
      {
        before: () => this.#custody.requireUntouched(),
        after: () => this.#custody.checkpointed(),
      },
    );
    try {
      // What an earlier process wrote to the WAL and did not live to sync reads as stored. Before a
      // record is called a duplicate of it, it has to reach the disk. Where there is no room for that,
      // it may be read meanwhile.
      this.#isWalOwed = !this.#emptyWalIfRoom();
      if (!this.#custody.isFileInPlace) throw this.#custody.replaced();
    } catch (error) {
      this.#custody.close();
      throw error;
    }
  }

  /**
   * Stores the rows in one transaction, or none of them; when it returns they survive a power cut,
   * in the files that are found at their paths.
   * Those whose event_id is stored already, or stands twice in the batch, change nothing.
   */
  append(rows: Rows): Appended {
    const append = () => {
      this.#emptyWalIfOwed();
      this.#custody.requireUntouched();
      const appended = this.#commit(rows);
      this.#custody.committed();
      return appended;
    };
    const appended = this.#do('append', append, true);
    this.#requireInPlace();
    this.#checkpointer.backstop();
    return appended;
  }

  /**
   * One step of a list, bounded in time, rows and bytes. Go on from `next` with what is left of
   * the limit until that is reached or `next` is null; commits may happen between the steps.
   */
  slice(query: ListQuery, budgetMs: number, maxBytes?: number): Slice {
    const bounds = maxBytes === undefined ? { budgetMs } : { budgetMs, maxBytes };
    return this.#do('read a list', () => this.#slices.read(query, bounds));
  }

  /**
   * Moves the WAL into the database where that is due. A checkpoint that fails is counted, and has to
   * be asked for again: the records are safe in the WAL.
   *
   * @param idle nothing else waits to be done
   */
  maintain(idle = true): Checkpointed {
    this.#refuseWithoutWal();
    return this.#do('move the WAL into the database', () => {
      const outcome = this.#checkpointer.run(idle);
      const { failure } = this.#checkpointer;
      if (!this.#connection.sound || isCorruption(failure)) throw failure;
      return outcome;
    });
  }

  /**
   * Proves that a write would succeed, as far as that shows without writing: one row of each kind
   * is inserted and taken back, database and WAL are still those at their paths, the volume is
   * writable and not full.
   */
  probe(): void {
    this.#do('write', () => {
      this.#emptyWalIfOwed();
      this.#custody.requireUntouched();
      this.#appender.rehearse(trialRows(this.#now()));
      this.#requireInPlace();
      this.#refuseWithoutWal();
      this.#files.access(this.path, constants.W_OK);
      const { freeBytes, totalBytes } = this.#files.space(this.path);
      // Some network file systems tell no sizes.
      if (totalBytes > 0 && freeBytes === 0) {
        throw new DatabaseError('the volume is full', {
          inDoubt: false,
          hint: 'free space or enlarge the volume',
        });
      }
    });
  }

  /**
   * Moves everything that is committed into the database file, which then is all of it, and stays as it
   * is for whoever copies it, while commits go to the WAL: see {@link Checkpointer.freeze}.
   *
   * @returns bytes of the file
   */
  freeze(): number {
    return this.#do('make a backup', () => {
      // Else what thaws the file for that one would be told what became of this one.
      if (this.#isCopied) {
        throw new DatabaseError('another backup is being made', { inDoubt: false });
      }
      this.#emptyWalIfOwed();
      this.#custody.requireUntouched();
      this.#requireInPlace();
      this.#refuseWithoutWal();
      this.#emptyWal();
      this.#checkpointer.freeze();
      this.#isCopied = true;
      return sizeOf(this.#files, this.path);
    });
  }

  /**
   * Ends what {@link freeze} began; to be called once for each.
   *
   * @returns whether the file is still what it was then
   */
  thaw(): boolean {
    return this.#do('end a backup', () => {
      this.#isCopied = false;
      const isWhole = this.#checkpointer.thaw();
      this.#custody.requireUntouched();
      if (isWhole) this.#custody.requireUnwritten();
      this.#requireInPlace();
      return isWhole;
    });
  }

  get figures(): Figures {
    return {
      databaseBytes: sizeOf(this.#files, this.path),
      walBytes: sizeOf(this.#files, `${this.path}-wal`),
      walPendingFrames: this.#checkpointer.pendingFrames,
      checkpoints: this.#checkpointer.completed,
      checkpointFailures: this.#checkpointer.failed,
    };
  }

  /**
   * Moves the WAL into the database and leaves that one file. May be called twice. When it throws,
   * the files are closed all the same and hold every record; the next opening goes on from there.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      if (!this.#connection.sound) {
        throw new DatabaseError(`cannot close ${this.path} in order: a call to the disk failed`);
      }
      this.#emptyWal();
      this.#connection.close();
      this.#files.syncDirectory(dirname(this.path));
    } catch (error) {
      closeQuietly(this.#connection);
      throw databaseError(`close ${this.path}`, error);
    } finally {
      this.#custody.close();
    }
  }

  #commit(rows: Rows): Appended {
    try {
      return this.#appender.append(rows);
    } catch (error) {
      if (this.#connection.sound) this.#custody.takenBack();
      throw error;
    }
  }

  #emptyWal(): void {
    const outcome = this.#checkpointer.truncate();
    if (outcome === 'done') return;
    const { sound } = this.#connection;
    // One that has lost its lock sees the files of the next sidecar.
    const lost = sound && this.#custody.tellOfMissingWal(this.#closed) && this.#closed;
    if (outcome === 'incomplete') {
      throw new DatabaseError('a part of the WAL could not be moved', { lost });
    }
    const { failure } = this.#checkpointer;
    throw databaseError('move the WAL into the database', failure, { sound, lost });
  }

  /** @returns whether there was room for it */
  #emptyWalIfRoom(): boolean {
    try {
      this.#emptyWal();
      return true;
    } catch (error) {
      if (this.#connection.sound && lacksRoom(this.#checkpointer.failure)) return false;
      throw error;
    }
  }

  /** Of a file that is gone the WAL is owed to nobody, and its room is free once it is closed. */
  #emptyWalIfOwed(): void {
    if (!this.#isWalOwed) return;
    this.#custody.requireFile();
    this.#emptyWal();
    this.#isWalOwed = false;
  }

  /**
   * What was written went to the files that were opened. Where one of these is not at its path any
   * more, it is gone with its last handle.
   *
   * @throws DatabaseError for the database. Of a WAL, what it holds is moved into the database
   * first, through the handles that are open, and nothing is lost.
   */
  #requireInPlace(): void {
    this.#custody.requireFile();
    if (this.#walIsGone || this.#custody.isWalInPlace) return;
    this.#emptyWal();
    this.#walIsGone = true;
  }

  #refuseWithoutWal(): void {
    if (!this.#walIsGone) return;
    throw new DatabaseError(`${this.path}-wal was deleted or replaced while it was open`, {
      hint: 'another program did it: open the file with others only while the sidecar runs, and leave what lies beside it; no record is lost, it is opened anew',
    });
  }

  #do<T>(doing: string, work: () => T, refusable = false): T {
    if (this.#closed) throw new DatabaseError(`cannot ${doing}: the database is closed`);
    if (!this.#connection.sound) {
      throw new DatabaseError(`cannot ${doing}: an earlier call to the disk failed`);
    }
    try {
      return work();
    } catch (error) {
      const { sound } = this.#connection;
      throw databaseError(doing, error, { refusable: refusable && sound, sound });
    }
  }
}
