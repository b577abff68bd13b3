import { basename } from 'node:path';
import { type FileIdentity, identityOf, isSame } from '../files/file-identity.ts';
import type { FileHandle, FileLayer, OpenMode } from '../files/file-layer.ts';
import { DatabaseError } from './database-error.ts';
import type { DatabaseOptions, OpenedFile } from './opening.ts';
import { OwnFiles, type Touched } from './own-files.ts';
import { databaseError } from './result-codes.ts';
import { sameContent } from './same-content.ts';
import type { Seal } from './seal.ts';
import { NO_FILE, type WalOwner } from './wal-owner.ts';

const TO_READ: OpenMode = { writable: false, create: false, exclusive: false, permissions: 0 };

type Options = Pick<DatabaseOptions, 'path' | 'files' | 'walOwner' | 'onNotice'> &
  Pick<OpenedFile, 'connection' | 'seal'>;

/**
 * What other programs do to the files of an open connection: delete, replace, overwrite, cut. Finds it
 * out, tells the operator what became of records, and keeps the connection from doing harm.
 *
 * Nothing here locks: what happens between a look and a write is found by the next look.
 */
export class Custody {
  /** The open database file. */
  readonly file: FileIdentity;
  /** Its WAL. */
  readonly wal: FileIdentity | undefined;
  readonly #path: string;
  readonly #name: string;
  readonly #files: FileLayer;
  readonly #walOwner: WalOwner | undefined;
  readonly #onNotice: ((notice: string) => void) | undefined;
  readonly #seal: Seal;
  /** Of the file for reading, whatever becomes of its name. */
  readonly #handle: FileHandle;
  readonly #own: OwnFiles;

  /** @throws DatabaseError where other files lie there already */
  constructor({ path, files, walOwner, onNotice, connection, seal }: Options) {
    this.#path = path;
    this.#name = basename(path);
    this.#files = files;
    this.#walOwner = walOwner;
    this.#onNotice = onNotice;
    this.#seal = seal;
    this.file = connection.file;
    this.wal = connection.log;
    this.#handle = files.open(path, TO_READ);
    this.#own = this.#openOwn();
  }

  get isFileInPlace(): boolean {
    return isSame(this.file, this.#identityAt(this.#path));
  }

  get isWalInPlace(): boolean {
    const there = this.#identityAt(`${this.#path}-wal`);
    return this.wal === undefined ? there === undefined : isSame(this.wal, there);
  }

  /**
   * What was written went to the file that was opened. Where it is not at its path any more, it is gone
   * with its last handle.
   *
   * @throws DatabaseError
   */
  requireFile(): void {
    const there = this.#identityAt(this.#path);
    if (isSame(this.file, there)) return;
    if (!this.#giveWalToCopy()) this.#tellOfLoss(there);
    throw this.replaced();
  }

  /**
   * To be called before a commit or a checkpoint: nothing is moved into a file that somebody else has
   * written to, nor out of a WAL.
   *
   * @throws DatabaseError for which the whole file is checked before its next use
   */
  requireUntouched(): void {
    this.#refuse(this.#own.touched());
  }

  /**
   * To be called after each commit.
   *
   * @throws DatabaseError as {@link requireUntouched}
   */
  committed(): void {
    this.#refuse(this.#own.committed());
  }

  /**
   * To be called before what was read of the database file since the last checkpoint passes for all of one
   * moment. Whoever wrote pages that lie in it already left its size and first page as they were: another
   * sidecar that took it over while this process was frozen, for one.
   *
   * @throws DatabaseError that leaves the connection as it is: a time may be set by others as well
   */
  requireUnwritten(): void {
    if (this.#own.isUnwritten) return;
    throw new DatabaseError(`${this.#path} may have been written to by another program meanwhile`, {
      inDoubt: false,
      hint: 'its time of modification has changed: leave the file alone while it is copied',
    });
  }

  /** See {@link OwnFiles.takenBack}. */
  takenBack(): void {
    this.#own.takenBack();
  }

  /** To be called after each checkpoint, whatever came of it. */
  checkpointed(): void {
    this.#own.checkpointed();
  }

  /**
   * What a WAL without a name holds goes with this connection, which found no room to move it.
   *
   * @param isOver the connection is being closed
   * @returns whether it is such a one
   */
  tellOfMissingWal(isOver: boolean): boolean {
    if (this.#own.walBytes === 0 || this.isWalInPlace) return false;
    const fate = isOver
      ? 'what it held is lost'
      : 'what it holds is lost when the sidecar ends, so free space before';
    this.#onNotice?.(
      `${this.#name}-wal was deleted or replaced while it was open, and there is no room to move it into ${this.#name}: ${fate}`,
    );
    return true;
  }

  replaced(): DatabaseError {
    return new DatabaseError(`${this.#path} was deleted or replaced while it was open`, {
      hint: 'stop the sidecar before the file is moved; it is opened anew',
    });
  }

  close(): void {
    this.#own.close();
  }

  /** Opens the files that the connection has open, for reading. */
  #openOwn(): OwnFiles {
    let wal: FileHandle | undefined;
    try {
      if (this.wal !== undefined) wal = this.#files.open(`${this.#path}-wal`, TO_READ);
      const own = new OwnFiles(this.#files, this.#handle, wal);
      const isOurs = (handle: FileHandle, file: FileIdentity | undefined) =>
        file !== undefined && isSame(file, identityOf(this.#files.stat(handle)));
      if (isOurs(this.#handle, this.file) && (wal === undefined || isOurs(wal, this.wal)))
        return own;
      throw this.replaced();
    } catch (error) {
      this.#files.close(this.#handle);
      if (wal !== undefined) this.#files.close(wal);
      throw error;
    }
  }

  #refuse(touched: Touched | undefined): void {
    if (touched === undefined) return;
    // One that has lost its lock while it was frozen sees the changes of the next sidecar.
    this.#seal.check();
    this.#seal.closed = true;
    if (touched === 'database') {
      if (this.#walOwner !== undefined) this.#walOwner.file = NO_FILE;
      this.#tellOfLoss(this.file);
      throw new DatabaseError(`${this.#path} was overwritten or cut while it was open`, {
        corrupt: true,
        hint: 'stop the sidecar before the file is replaced; what it is now is opened anew',
      });
    }
    this.#onNotice?.(
      `${this.#name}-wal was overwritten or cut by another program while it was open: what was committed ` +
        `since the last checkpoint may be lost to ${this.#name}; leave what lies beside it alone`,
    );
    throw new DatabaseError(`${this.#path}-wal was overwritten or cut while it was open`, {
      corrupt: true,
      hint: 'leave what lies beside the file alone; it is opened anew',
    });
  }

  #tellOfLoss(there: FileIdentity | undefined): void {
    // Of a WAL that is left, the next opening tells, with what becomes of it.
    if (this.#own.walBytes > 0) return;
    this.#onNotice?.(
      there === undefined
        ? `${this.#name} was deleted while it was open: a new one is begun, without the records of the former`
        : `${this.#name} was replaced while it was open: of the records of the former, those are there that the new one has`,
    );
  }

  /**
   * To a file of the same content, which was put in this one's place, the WAL belongs as well.
   *
   * @returns whether it is one
   */
  #giveWalToCopy(): boolean {
    if (this.#walOwner === undefined) return false;
    try {
      const there = this.#files.open(this.#path, TO_READ);
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

  #identityAt(path: string): FileIdentity | undefined {
    try {
      return identityOf(this.#files.stat(path));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw databaseError(`look at ${path}`, error);
    }
  }
}
