import { StoreError } from '../../store-error.ts';
import type { FileLayer } from '../files/file-layer.ts';
import { OWN_LIMIT_MS } from './lock-verdict.ts';
import type { SharedState } from './shared-state.ts';

/**
 * A file layer that changes nothing on the disk once the lock file has not been renewed for
 * {@link OWN_LIMIT_MS}: a process that was frozen for so long must take it that another sidecar
 * writes this file now. It also marks where each call begins and ends, which tells a worker that
 * is stuck in one from a worker that has much to do.
 */
export class GuardedFiles {
  readonly files: FileLayer;
  readonly #shared: SharedState;
  #refusal: string | undefined;

  constructor(inner: FileLayer, shared: SharedState) {
    this.#shared = shared;
    const call = <T>(work: () => T): T => {
      shared.touch();
      try {
        return work();
      } finally {
        shared.touch();
      }
    };
    const change = <T>(work: () => T): T => {
      this.check();
      return call(work);
    };
    this.files = {
      open: (path, mode) =>
        mode.create ? change(() => inner.open(path, mode)) : call(() => inner.open(path, mode)),
      read: (handle, into, offset, length, position) =>
        call(() => inner.read(handle, into, offset, length, position)),
      write: (handle, from, offset, length, position) =>
        change(() => inner.write(handle, from, offset, length, position)),
      truncate: (handle, size) => change(() => inner.truncate(handle, size)),
      sync: (handle) => call(() => inner.sync(handle)),
      close: (handle) => call(() => inner.close(handle)),
      stat: (target) => call(() => inner.stat(target)),
      lstat: (path) => call(() => inner.lstat(path)),
      access: (path, mode) => call(() => inner.access(path, mode)),
      exists: (path) => call(() => inner.exists(path)),
      unlink: (path) => change(() => inner.unlink(path)),
      rename: (from, to) => change(() => inner.rename(from, to)),
      syncDirectory: (path) => call(() => inner.syncDirectory(path)),
      space: (path) => call(() => inner.space(path)),
    };
  }

  /** Why a change was refused, once one was. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  /** Throws when nothing may be changed any more. */
  check(): void {
    const age = this.#shared.lockAgeMs;
    if (age <= OWN_LIMIT_MS) return;
    this.#refusal = Number.isFinite(age)
      ? `the lock file was not renewed for ${Math.round(age / 1_000)} s`
      : 'the lock file was lost';
    throw Object.assign(new StoreError(this.#refusal), { code: 'ESTALE' });
  }

  /**
   * Runs work that changes the disk. When it fails after a refusal, that is the reason, and not
   * what SQLite makes of it.
   */
  explain<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw this.reasonOf(error);
    }
  }

  /** The refusal if there was one, else the error itself. */
  reasonOf(error: unknown): unknown {
    return this.#refusal === undefined ? error : new StoreError(this.#refusal, { cause: error });
  }
}
