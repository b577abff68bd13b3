import { constants } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { ListQuery } from '../../../records/list.ts';
import type { Rows } from '../../../records/rows.ts';
import type { Appended } from '../../store.ts';
import { trialRows } from '../../trial-rows.ts';
import type { Connection } from '../engine/connection.ts';
import { type FileIdentity, identityOf, isSame } from '../files/file-identity.ts';
import type { FileHandle, FileLayer, OpenMode } from '../files/file-layer.ts';
import { Appender } from './append.ts';
import { type Checkpointed, Checkpointer } from './checkpoint.ts';
import { DatabaseError } from './database-error.ts';
import { type Slice, SliceReader } from './list/slice.ts';
import type { Migrated } from './migrations.ts';
import { closeQuietly, type DatabaseOptions, type OpenedFile, openFile } from './opening.ts';
import { OwnFiles, type Touched } from './own-files.ts';
import { sizeOf } from './quarantine.ts';
import { databaseError, isCorruption, lacksRoom } from './result-codes.ts';
import { sameContent } from './same-content.ts';
import type { Seal } from './seal.ts';
import { NO_FILE, type WalOwner } from './wal-owner.ts';

const TO_READ: OpenMode = { writable: false, create: false, exclusive: false, permissions: 0 };

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
  readonly #walOwner: WalOwner | undefined;
  /** Of the file for reading, whatever becomes of its name. */
  readonly #handle: FileHandle;
  readonly #connection: Connection;
  readonly #seal: Seal;
  readonly #own: OwnFiles;
  readonly #onNotice: ((notice: string) => void) | undefined;
  readonly #appender: Appender;
  readonly #slices: SliceReader;
  readonly #checkpointer: Checkpointer;
  readonly #now: () => number;
  #closed = false;
  /** The opening could not empty the WAL: see the constructor. */
  #isWalOwed = false;
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
    this.file = connection.file;
    this.migrated = opened.migrated;
    this.#files = options.files;
    this.#walOwner = options.walOwner;
    this.#connection = connection;
    this.#seal = opened.seal;
    this.#onNotice = options.onNotice;
    this.#appender = new Appender(connection);
    this.#slices = new SliceReader(connection);
    this.#now = options.now ?? Date.now;
    this.wal = connection.log;
    this.#handle = this.#files.open(this.path, TO_READ);
    this.#own = this.#openOwn();
    this.#checkpointer = new Checkpointer(
      connection,
      options.monotonic ?? (() => performance.now()),
      () => this.#files.space(this.path),
      {
        before: () => this.#requireUntouched(this.#own.touched()),
        after: () => this.#own.checkpointed(),
      },
    );
    try {
      // What an earlier process wrote to the WAL and did not live to sync reads as stored. Before a
      // record is called a duplicate of it, it has to reach the disk. Where there is no room for that,
      // it may be read meanwhile.
      this.#isWalOwed = !this.#emptyWalIfRoom();
      if (!isSame(this.file, this.#identityAt(this.path))) throw this.#replaced();
    } catch (error) {
      this.#own.close();
      throw error;
    }
  }

  /** Opens the files that the connection has open, for reading. */
  #openOwn(): OwnFiles {
    let wal: FileHandle | undefined;
    try {
      if (this.wal !== undefined) wal = this.#files.open(`${this.path}-wal`, TO_READ);
      const own = new OwnFiles(this.#files, this.#handle, wal);
      const isOurs = (handle: FileHandle, file: FileIdentity | undefined) =>
        file !== undefined && isSame(file, identityOf(this.#files.stat(handle)));
      if (isOurs(this.#handle, this.file) && (wal === undefined || isOurs(wal, this.wal)))
        return own;
      throw this.#replaced();
    } catch (error) {
      this.#files.close(this.#handle);
      if (wal !== undefined) this.#files.close(wal);
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
      this.#requireUntouched(this.#own.touched());
      const appended = this.#commit(rows);
      this.#requireUntouched(this.#own.committed());
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
      this.#requireUntouched(this.#own.touched());
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
      this.#own.close();
    }
  }

  #commit(rows: Rows): Appended {
    try {
      return this.#appender.append(rows);
    } catch (error) {
      if (this.#connection.sound) this.#own.takenBack();
      throw error;
    }
  }

  #emptyWal(): void {
    const outcome = this.#checkpointer.truncate();
    if (outcome === 'done') return;
    const lost = this.#tellOfMissingWal() && this.#closed;
    if (outcome === 'incomplete') {
      throw new DatabaseError('a part of the WAL could not be moved', { lost });
    }
    const { sound } = this.#connection;
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
    this.#requireFileInPlace();
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
    this.#requireFileInPlace();
    if (this.#walIsGone || this.#isWalInPlace) return;
    this.#emptyWal();
    this.#walIsGone = true;
  }

  get #isWalInPlace(): boolean {
    const there = this.#identityAt(`${this.path}-wal`);
    return this.wal === undefined ? there === undefined : isSame(this.wal, there);
  }

  #requireFileInPlace(): void {
    const there = this.#identityAt(this.path);
    if (isSame(this.file, there)) return;
    if (!this.#giveWalToCopy()) this.#tellOfLoss(there);
    throw this.#replaced();
  }

  /**
   * Nothing is moved into a file that somebody else has written to, nor out of a WAL.
   *
   * @throws DatabaseError for which the whole file is checked before its next use
   */
  #requireUntouched(touched: Touched | undefined): void {
    if (touched === undefined) return;
    // One that has lost its lock while it was frozen sees the changes of the next sidecar.
    this.#seal.check();
    this.#seal.closed = true;
    const name = basename(this.path);
    if (touched === 'database') {
      if (this.#walOwner !== undefined) this.#walOwner.file = NO_FILE;
      this.#tellOfLoss(this.file);
      throw new DatabaseError(`${this.path} was overwritten or cut while it was open`, {
        corrupt: true,
        hint: 'stop the sidecar before the file is replaced; what it is now is opened anew',
      });
    }
    this.#onNotice?.(
      `${name}-wal was overwritten or cut by another program while it was open: what was committed ` +
        `since the last checkpoint may be lost to ${name}; leave what lies beside it alone`,
    );
    throw new DatabaseError(`${this.path}-wal was overwritten or cut while it was open`, {
      corrupt: true,
      hint: 'leave what lies beside the file alone; it is opened anew',
    });
  }

  #replaced(): DatabaseError {
    return new DatabaseError(`${this.path} was deleted or replaced while it was open`, {
      hint: 'stop the sidecar before the file is moved; it is opened anew',
    });
  }

  #tellOfLoss(there: FileIdentity | undefined): void {
    // Of a WAL that is left, the next opening tells, with what becomes of it.
    if (this.#own.walBytes > 0) return;
    const name = basename(this.path);
    this.#onNotice?.(
      there === undefined
        ? `${name} was deleted while it was open: a new one is begun, without the records of the former`
        : `${name} was replaced while it was open: of the records of the former, those are there that the new one has`,
    );
  }

  /**
   * What a WAL without a name holds goes with this connection, which found no room to move it.
   *
   * @returns whether it is such a one
   */
  #tellOfMissingWal(): boolean {
    // One that has lost its lock sees the files of the next sidecar.
    if (!this.#connection.sound || this.#own.walBytes === 0 || this.#isWalInPlace) return false;
    const name = basename(this.path);
    const fate = this.#closed
      ? 'what it held is lost'
      : 'what it holds is lost when the sidecar ends, so free space before';
    this.#onNotice?.(
      `${name}-wal was deleted or replaced while it was open, and there is no room to move it into ${name}: ${fate}`,
    );
    return true;
  }

  /**
   * To a file of the same content, which was put in this one's place, the WAL belongs as well.
   *
   * @returns whether it is one
   */
  #giveWalToCopy(): boolean {
    if (this.#walOwner === undefined) return false;
    try {
      const there = this.#files.open(this.path, TO_READ);
      try {
        if (!sameContent(this.#files, this.#handle, there)) return false;
        this.#walOwner.file = identityOf(this.#files.stat(there));
        return true;
      } finally {
        this.#files.close(there);
      }
    } catch {
      // Nothing is there, or it cannot be read.
      return false;
    }
  }

  #refuseWithoutWal(): void {
    if (!this.#walIsGone) return;
    throw new DatabaseError(`${this.path}-wal was deleted or replaced while it was open`, {
      hint: 'another program did it: open the file with others only while the sidecar runs, and leave what lies beside it; no record is lost, it is opened anew',
    });
  }

  #identityAt(path: string): FileIdentity | undefined {
    try {
      return identityOf(this.#files.stat(path));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw databaseError(`look at ${path}`, error);
    }
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
