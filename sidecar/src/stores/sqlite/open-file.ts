import { hostError } from './errno.ts';
import type { FileHandle, FileLayer } from './file-layer.ts';

/** One gathered write at most: some 250 frames of the write-ahead log. */
const GATHER_BYTES = 1_048_576;

/**
 * A file that SQLite holds open, with its position, since SQLite seeks and then reads or writes.
 *
 * With `gather`, writes that follow one another are held back as one contiguous range, so that a
 * commit reaches the write-ahead log by one write call instead of two for each page. SQLite never
 * sees the difference: the range is written before anything else happens to the file. It is sound
 * because with synchronous=FULL a commit ends in a sync, and counts only from then on.
 */
export class OpenFile {
  readonly path: string;
  position = 0;
  readonly #files: FileLayer;
  readonly #handle: FileHandle;
  /** Called before each write reaches the disk; throws to forbid it. */
  readonly #permit: () => void;
  readonly #gather: boolean;
  #pending: Buffer | undefined;
  #pendingBytes = 0;
  #pendingAt = 0;

  constructor(
    files: FileLayer,
    path: string,
    handle: FileHandle,
    options: { readonly gather: boolean; readonly permit: () => void },
  ) {
    this.path = path;
    this.#files = files;
    this.#handle = handle;
    this.#gather = options.gather;
    this.#permit = options.permit;
  }

  get handle(): FileHandle {
    return this.#handle;
  }

  get hasPending(): boolean {
    return this.#pendingBytes > 0;
  }

  read(into: Buffer, offset: number, length: number): number {
    const read = this.#files.read(this.#handle, into, offset, length, this.position);
    this.position += read;
    return read;
  }

  write(from: Buffer, offset: number, length: number): number {
    if (this.#gather && length <= GATHER_BYTES) {
      this.#append(from, offset, length);
      this.position += length;
      return length;
    }
    this.flush();
    this.#permit();
    const written = this.#files.write(this.#handle, from, offset, length, this.position);
    this.position += written;
    return written;
  }

  /** Writes what is pending. When that fails it is gone: the caller must not trust the file. */
  flush(): void {
    const length = this.#pendingBytes;
    if (length === 0) return;
    this.#pendingBytes = 0;
    this.#permit();
    let done = 0;
    while (done < length) {
      const written = this.#files.write(
        this.#handle,
        this.#pending as Buffer,
        done,
        length - done,
        this.#pendingAt + done,
      );
      if (written <= 0) throw hostError('EIO');
      done += written;
    }
  }

  /** Closes without writing what is pending. */
  close(): void {
    this.#pendingBytes = 0;
    this.#pending = undefined;
    this.#files.close(this.#handle);
  }

  #append(from: Buffer, offset: number, length: number): void {
    const end = this.#pendingAt + this.#pendingBytes;
    if (this.position !== end || this.#pendingBytes + length > GATHER_BYTES) this.flush();
    this.#pending ??= Buffer.allocUnsafeSlow(GATHER_BYTES);
    if (this.#pendingBytes === 0) this.#pendingAt = this.position;
    from.copy(this.#pending, this.#pendingBytes, offset, offset + length);
    this.#pendingBytes += length;
  }
}
