import { codeOf, hostError, isNoRoom } from '../files/errno.ts';
import { type FileIdentity, identityOf } from '../files/file-identity.ts';
import type { FileLayer, FileStat, OpenMode } from '../files/file-layer.ts';
import type { HostHealth } from './host-health.ts';
import { OpenFile } from './open-file.ts';

/** Above any descriptor of Emscripten's own, so that the two cannot be confused. */
export const FIRST_DESCRIPTOR = 1 << 20;

/** A directory that SQLite opened to sync it. */
interface OpenDirectory {
  readonly directory: string;
}

export interface OpenFilesOptions {
  readonly files: FileLayer;
  /** Its write-ahead log alone is gathered. */
  readonly database: string;
  readonly directory: string;
  readonly health: HostHealth;
  /** Called before anything changes on the disk; throws to forbid it. */
  readonly beforeWrite?: (() => void) | undefined;
}

/**
 * The files that one connection holds open, by descriptor, and the rule for changing them: once a
 * sync failed, or a gathered write was lost, nothing more is written, truncated, synced or deleted.
 * SQLite would else go on to copy pages that the kernel may have dropped, and delete the log that
 * still holds them. Want of room is no such failure where it ends a commit: see `#lost`.
 */
export class OpenFiles {
  readonly files: FileLayer;
  readonly #options: OpenFilesOptions;
  readonly #open = new Map<number, OpenFile | OpenDirectory>();
  #next = FIRST_DESCRIPTOR;

  constructor(options: OpenFilesOptions) {
    this.files = options.files;
    this.#options = options;
  }

  open(path: string, mode: OpenMode): number {
    if (path === this.#options.directory) return this.#add({ directory: path });
    if (mode.create && !this.files.exists(path)) this.#permit();
    const handle = this.files.open(path, mode);
    const gather = path === `${this.#options.database}-wal`;
    const file = new OpenFile(this.files, path, handle, { gather, permit: this.#permit });
    try {
      if (gather && mode.writable) this.#settle(file);
    } catch (error) {
      file.close();
      throw error;
    }
    return this.#add(file);
  }

  /**
   * Makes a write-ahead log durable that an earlier connection left: it may have ended before its
   * sync, or in a failed one, after which the kernel shows pages that it will never write (Linux
   * takes them for clean). SQLite would replay such a commit, its records would be found "stored
   * already", and a power cut would take them. Writing what is read makes the pages dirty again.
   */
  #settle(file: OpenFile): void {
    const size = this.files.stat(file.handle).size;
    if (size === 0) return;
    file.rewrite(size);
    this.#sync(file);
  }

  /** @throws EBADF for a directory, or what was never opened or is closed */
  file(descriptor: number): OpenFile {
    const entry = this.#open.get(descriptor);
    if (!(entry instanceof OpenFile)) throw hostError('EBADF');
    return entry;
  }

  /** Of the database (`''`), or of what lies beside it, as it was opened. */
  identity(suffix: '' | '-wal'): FileIdentity | undefined {
    const path = this.#options.database + suffix;
    for (const entry of this.#open.values()) {
      if (entry instanceof OpenFile && entry.path === path) {
        return identityOf(this.files.stat(entry.handle));
      }
    }
    return undefined;
  }

  stat(descriptor: number): FileStat {
    const entry = this.#entry(descriptor);
    if (!(entry instanceof OpenFile)) return this.files.stat(entry.directory);
    this.flush(entry);
    return this.files.stat(entry.handle);
  }

  /** Every access to the file but a gathered write comes after this. */
  flush(file: OpenFile): void {
    if (!file.hasPending) return;
    try {
      file.flush();
    } catch (error) {
      this.#options.health.distrust();
      throw error;
    }
  }

  flushAll(): void {
    for (const entry of this.#open.values()) if (entry instanceof OpenFile) this.flush(entry);
  }

  write(file: OpenFile, from: Buffer, offset: number, length: number): number {
    // A write that does not continue the pending range flushes it.
    const loses = file.hasPending;
    try {
      return file.write(from, offset, length);
    } catch (error) {
      if (loses) this.#lost(error);
      throw error;
    }
  }

  truncate(file: OpenFile, size: number): void {
    this.flush(file);
    this.#permit();
    this.files.truncate(file.handle, size);
  }

  sync(descriptor: number): void {
    this.#sync(this.#entry(descriptor));
  }

  #sync(entry: OpenFile | OpenDirectory): void {
    if (entry instanceof OpenFile) this.#flushToSync(entry);
    try {
      if (entry instanceof OpenFile) {
        this.#permit();
        this.files.sync(entry.handle);
      } else {
        this.#permit();
        this.files.syncDirectory(entry.directory);
      }
    } catch (error) {
      this.#options.health.distrust();
      throw error;
    }
  }

  #flushToSync(file: OpenFile): void {
    try {
      file.flush();
    } catch (error) {
      this.#lost(error);
      throw error;
    }
  }

  /**
   * A gathered write is lost in a call to write or to sync. What is gathered belongs to the commit
   * under way, and SQLite checks these two calls: it takes that commit back, and the next one is
   * written over what is left of it. So a volume without room leaves the connection as good as before.
   */
  #lost(error: unknown): void {
    if (!isNoRoom(codeOf(error))) this.#options.health.distrust();
  }

  unlink(path: string): void {
    this.flushAll();
    this.#permit();
    this.files.unlink(path);
  }

  close(descriptor: number): void {
    const entry = this.#entry(descriptor);
    this.#open.delete(descriptor);
    if (!(entry instanceof OpenFile)) return;
    try {
      this.flush(entry);
    } finally {
      entry.close();
    }
  }

  /** Closes whatever SQLite left open, as it does after an abort, without writing anything. */
  closeAll(): void {
    const entries = [...this.#open.values()];
    this.#open.clear();
    let failure: unknown;
    for (const entry of entries) {
      if (!(entry instanceof OpenFile)) continue;
      try {
        entry.close();
      } catch (error) {
        failure = error;
      }
    }
    if (failure !== undefined) throw failure;
  }

  readonly #permit = (): void => {
    const { health, beforeWrite } = this.#options;
    if (!health.sound) throw hostError('EIO');
    if (beforeWrite === undefined) return;
    try {
      beforeWrite();
    } catch (error) {
      health.distrust();
      throw error;
    }
  };

  #add(entry: OpenFile | OpenDirectory): number {
    const descriptor = this.#next;
    this.#next += 1;
    this.#open.set(descriptor, entry);
    return descriptor;
  }

  #entry(descriptor: number): OpenFile | OpenDirectory {
    const entry = this.#open.get(descriptor);
    if (entry === undefined) throw hostError('EBADF');
    return entry;
  }
}
