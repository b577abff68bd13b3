import { hostError } from '../files/errno.ts';
import type { FileHandle, FileLayer } from '../files/file-layer.ts';

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

  /** Writes what is pending. When that fails it is gone, or a part of it is written. */
  flush(): void {
    const length = this.#pendingBytes;
    if (length === 0) return;
    this.#pendingBytes = 0;
    this.#writeAll(this.#pending as Buffer, length, this.#pendingAt);
  }

  /** Writes the first `size` bytes of the file over themselves. */
  rewrite(size: number): void {
    const chunk = Buffer.allocUnsafe(Math.min(size, GATHER_BYTES));
    let at = 0;
    while (at < size) {
      const read = this.#files.read(this.#handle, chunk, 0, Math.min(chunk.length, size - at), at);
      if (read <= 0) throw hostError('EIO');
      this.#writeAll(chunk, read, at);
      at += read;
    }
  }

  /** Closes without writing what is pending. */
  close(): void {
    this.#pendingBytes = 0;
    this.#pending = undefined;
    this.#files.close(this.#handle);
  }

  #writeAll(from: Buffer, length: number, position: number): void {
    this.#permit();
    let done = 0;
    while (done < length) {
      const at = position + done;
      const written = this.#files.write(this.#handle, from, done, length - done, at);
      if (written <= 0) throw hostError('EIO');
      done += written;
    }
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
