import { type FileHandle, open } from 'node:fs/promises';
import type { Backup } from '../store.ts';
import { StoreError } from '../store-error.ts';
import { type FileIdentity, isSame } from './files/file-identity.ts';
import type { WorkerHandle } from './worker/worker-handle.ts';

/** Of a part: some 100 µs of the thread, between which requests have their turn. */
const PART_BYTES = 256 * 1_024;

/**
 * A copy of the database file that its worker keeps as it is meanwhile. It is read on the HTTP thread, by
 * calls that do not block: the worker's time belongs to commits.
 *
 *     freeze -> read ... read -> thaw, which tells whether the file has stayed as it was -> the last part
 */
export class FileBackup implements Backup {
  readonly bytes: number;
  readonly #worker: WorkerHandle;
  readonly #file: FileHandle;
  #isFrozen = true;

  private constructor(worker: WorkerHandle, file: FileHandle, bytes: number) {
    this.#worker = worker;
    this.#file = file;
    this.bytes = bytes;
  }

  /**
   * @param path where the worker's file lies
   * @param identity of that file
   * @param signal gives up waiting; what begins all the same ends at once
   * @throws StoreError
   */
  static async begin(
    worker: WorkerHandle,
    path: string,
    identity: FileIdentity,
    signal: AbortSignal,
  ): Promise<FileBackup> {
    const late = Promise.withResolvers<never>();
    const giveUp = () => late.reject(new StoreError('the backup did not begin in time'));
    if (signal.aborted) giveUp();
    signal.addEventListener('abort', giveUp, { once: true });
    const begun = FileBackup.#begin(worker, path, identity);
    try {
      return await Promise.race([begun, late.promise]);
    } catch (error) {
      begun.then((backup) => backup.close()).catch(() => {});
      throw error;
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  static async #begin(
    worker: WorkerHandle,
    path: string,
    identity: FileIdentity,
  ): Promise<FileBackup> {
    const bytes = await worker.request({ op: 'freeze' });
    let file: FileHandle | undefined;
    try {
      file = await open(path, 'r');
      const { dev: device, ino: inode, size } = await file.stat();
      if (!isSame(identity, { device, inode }) || size !== bytes) throw replaced();
      return new FileBackup(worker, file, bytes);
    } catch (error) {
      await thaw(worker);
      await file?.close();
      throw readError(error);
    }
  }

  async *parts(): AsyncGenerator<Uint8Array> {
    const buffer = Buffer.allocUnsafeSlow(Math.min(PART_BYTES, this.bytes));
    for (let at = 0; at < this.bytes; ) {
      // Else a slow client would learn it at its end.
      if (this.#worker.hasFreezeEnded) throw moved();
      const length = Math.min(buffer.length, this.bytes - at);
      await this.#read(buffer, length, at);
      at += length;
      if (at === this.bytes) await this.#confirm();
      yield buffer.subarray(0, length);
    }
  }

  async close(): Promise<void> {
    const wasFrozen = this.#isFrozen;
    this.#isFrozen = false;
    // First, since closing may fail, which it does on a network file system.
    if (wasFrozen) await thaw(this.#worker);
    // Once closed, closing does nothing.
    await this.#file.close();
  }

  async #read(buffer: Buffer, length: number, place: number): Promise<void> {
    for (let done = 0; done < length; ) {
      const rest = length - done;
      const { bytesRead } = await this.#file
        .read(buffer, done, rest, place + done)
        .catch((error: unknown) => {
          throw readError(error);
        });
      if (bytesRead === 0) throw replaced();
      done += bytesRead;
    }
  }

  /** What is read next may be of another moment. */
  async #confirm(): Promise<void> {
    this.#isFrozen = false;
    if (!(await this.#worker.request({ op: 'thaw' }))) throw moved();
  }
}

/** Never rejects: a worker that has ended has thawed it. */
async function thaw(worker: WorkerHandle): Promise<void> {
  await worker.request({ op: 'thaw' }).catch(() => {});
}

function moved(): StoreError {
  return new StoreError('the write-ahead log had to be moved into the file before all was read', {
    hint: 'fetch it faster, when less is written, or with more room on the volume',
  });
}

function replaced(): StoreError {
  return new StoreError('the database file was replaced or cut');
}

function readError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const { code = 'unknown error' } = error as NodeJS.ErrnoException;
  return new StoreError(`cannot read the database file: ${code}`, { cause: error });
}
