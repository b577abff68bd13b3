import type { FileHandle, FileLayer } from '../files/file-layer.ts';
import { isWalMagic, readAt } from './wal-format.ts';

/** Of the database file: header and first page, which an older or a newer copy has otherwise. */
const HEAD_BYTES = 4_096;

/** What somebody else has changed in place, where the identity of a file tells nothing. */
export type Touched = 'database' | 'wal';

/**
 * What this connection alone writes, compared with what it left: the database file, which checkpoints
 * change and nothing else, and the WAL, which is cut by nobody but SQLite itself. Other programs may
 * write through both without a lock that we would see (`cp backup agenttier.db`, `> agenttier.db-wal`),
 * and SQLite would then move pages into the wrong file, or zeros.
 */
export class OwnFiles {
  readonly #files: FileLayer;
  readonly #database: FileHandle;
  readonly #wal: FileHandle | undefined;
  readonly #magic = Buffer.alloc(4);
  #size = 0;
  #modifiedMs = 0;
  #checkpointedMs = 0;
  #head = Buffer.alloc(0);
  #leastWalBytes = 0;

  /**
   * @param database open for reading, as is the WAL
   * @param wal undefined where the database has none
   */
  constructor(files: FileLayer, database: FileHandle, wal: FileHandle | undefined) {
    this.#files = files;
    this.#database = database;
    this.#wal = wal;
    this.checkpointed();
  }

  /** To be called after each checkpoint, whatever came of it. */
  checkpointed(): void {
    const { size, modifiedMs } = this.#files.stat(this.#database);
    this.#size = size;
    this.#modifiedMs = modifiedMs;
    this.#checkpointedMs = modifiedMs;
    this.#head = this.#readHead();
    this.#leastWalBytes = this.walBytes;
  }

  /** To be called after each commit: what was changed in the meantime, if something was. */
  committed(): Touched | undefined {
    this.#leastWalBytes = this.walBytes;
    if (this.#wal === undefined || this.#leastWalBytes === 0) return undefined;
    // Cut before the commit, which then was written behind a hole.
    return readAt(this.#files, this.#wal, this.#magic, 0) && isWalMagic(this.#magic)
      ? undefined
      : 'wal';
  }

  /**
   * To be called after a commit that SQLite took back. One that begins the WAL anew cuts it to
   * `journal_size_limit` all the same.
   */
  takenBack(): void {
    this.#leastWalBytes = Math.min(this.#leastWalBytes, this.walBytes);
  }

  /** To be called before a commit or a checkpoint: what was changed since the last one. */
  touched(): Touched | undefined {
    if (this.walBytes < this.#leastWalBytes) return 'wal';
    const { size, modifiedMs } = this.#files.stat(this.#database);
    if (size === this.#size && modifiedMs === this.#modifiedMs) return undefined;
    // A time alone may be set by others, and by a server of files after the write.
    if (size !== this.#size || !this.#readHead().equals(this.#head)) return 'database';
    this.#modifiedMs = modifiedMs;
    return undefined;
  }

  /** Whether nothing at all, its time included, was changed in the database since the last checkpoint. */
  get isUnwritten(): boolean {
    const { size, modifiedMs } = this.#files.stat(this.#database);
    return size === this.#size && modifiedMs === this.#checkpointedMs;
  }

  close(): void {
    this.#files.close(this.#database);
    if (this.#wal !== undefined) this.#files.close(this.#wal);
  }

  /** Size of the WAL, whatever of it was moved already. */
  get walBytes(): number {
    return this.#wal === undefined ? 0 : this.#files.stat(this.#wal).size;
  }

  #readHead(): Buffer<ArrayBuffer> {
    const head = Buffer.alloc(Math.min(this.#size, HEAD_BYTES));
    return readAt(this.#files, this.#database, head, 0) ? head : Buffer.alloc(0);
  }
}
