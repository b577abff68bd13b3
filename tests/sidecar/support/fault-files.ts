/**
 * A file layer that fails on demand, around a real one.
 *
 *     const faults = new FaultFiles(nodeFiles);
 *     faults.inject({ call: 'write', path: /-wal$/, code: 'ENOSPC', times: Infinity });
 *     ...                      // openConnection({ files: faults.files, ... })
 *     faults.heal();
 */

import type { FileHandle, FileLayer } from '../../../sidecar/src/stores/sqlite/files/file-layer.ts';
import { nodeFiles } from '../../../sidecar/src/stores/sqlite/files/node-files.ts';

export type FileCallName = keyof FileLayer;

export interface Fault {
  readonly call: FileCallName;
  /** Only files whose path matches; all without it. */
  readonly path?: RegExp;
  /** How many matching calls go well first. */
  readonly after?: number;
  /** How many then fail; 1 without it. */
  readonly times?: number;
  /** Fails with an error of this code, as node:fs does. */
  readonly code?: string;
  /** Throws exactly this. */
  readonly throws?: unknown;
  /** A write that takes fewer bytes than it was given; at least one, rounded down. */
  readonly short?: (length: number) => number;
  /** Blocks the thread first; without another effect the call then goes well. */
  readonly delayMs?: number;
}

interface Armed {
  readonly fault: Fault;
  skip: number;
  left: number;
}

export class FaultFiles {
  readonly files: FileLayer;
  readonly #inner: FileLayer;
  readonly #paths = new Map<FileHandle, string>();
  readonly #calls: { readonly call: FileCallName; readonly path: string }[] = [];
  #armed: Armed[] = [];
  #fired = 0;

  constructor(inner: FileLayer = nodeFiles) {
    this.#inner = inner;
    this.files = this.#decorated();
  }

  inject(fault: Fault): void {
    this.#armed.push({ fault, skip: fault.after ?? 0, left: fault.times ?? 1 });
  }

  /** Removes every fault. */
  heal(): void {
    this.#armed = [];
  }

  /** How many calls were made to fail. */
  get fired(): number {
    return this.#fired;
  }

  /** How many calls were made, failed ones included. */
  count(call: FileCallName, path: RegExp = /(?:)/): number {
    return this.#calls.filter((made) => made.call === call && path.test(made.path)).length;
  }

  forgetCounts(): void {
    this.#calls.length = 0;
  }

  /** Files that are open. */
  get openPaths(): string[] {
    return [...this.#paths.values()];
  }

  #decorated(): FileLayer {
    const inner = this.#inner;
    const at = (handle: FileHandle) => this.#paths.get(handle) ?? '?';
    return {
      open: (path, mode) => {
        this.#strike('open', path);
        const handle = inner.open(path, mode);
        this.#paths.set(handle, path);
        return handle;
      },
      read: (handle, into, offset, length, position) => {
        this.#strike('read', at(handle));
        return inner.read(handle, into, offset, length, position);
      },
      write: (handle, from, offset, length, position) => {
        const fault = this.#strike('write', at(handle));
        const wanted = Math.floor(fault?.short?.(length) ?? length);
        const taken = Math.max(1, Math.min(length, wanted));
        return inner.write(handle, from, offset, taken, position);
      },
      truncate: (handle, size) => {
        this.#strike('truncate', at(handle));
        inner.truncate(handle, size);
      },
      sync: (handle) => {
        this.#strike('sync', at(handle));
        inner.sync(handle);
      },
      close: (handle) => {
        const path = at(handle);
        this.#paths.delete(handle);
        // As Linux does it: the descriptor is gone even where close reports an error.
        inner.close(handle);
        this.#strike('close', path);
      },
      stat: (target) => {
        this.#strike('stat', typeof target === 'string' ? target : at(target));
        return inner.stat(target);
      },
      lstat: (path) => this.#checked('lstat', path, () => inner.lstat(path)),
      access: (path, mode) => this.#checked('access', path, () => inner.access(path, mode)),
      exists: (path) => this.#checked('exists', path, () => inner.exists(path)),
      unlink: (path) => this.#checked('unlink', path, () => inner.unlink(path)),
      rename: (from, to) => this.#checked('rename', from, () => inner.rename(from, to)),
      syncDirectory: (path) =>
        this.#checked('syncDirectory', path, () => inner.syncDirectory(path)),
      space: (path) => this.#checked('space', path, () => inner.space(path)),
    };
  }

  #checked<T>(call: FileCallName, path: string, run: () => T): T {
    this.#strike(call, path);
    return run();
  }

  /** Throws where a fault says so; answers the fault that has another effect. */
  #strike(call: FileCallName, path: string): Fault | undefined {
    this.#calls.push({ call, path });
    const armed = this.#armed.find(
      ({ fault, left }) => left > 0 && fault.call === call && (fault.path?.test(path) ?? true),
    );
    if (armed === undefined) return undefined;
    if (armed.skip > 0) {
      armed.skip -= 1;
      return undefined;
    }
    armed.left -= 1;
    this.#fired += 1;
    const { code, throws, delayMs } = armed.fault;
    if (delayMs !== undefined) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, delayMs);
    }
    if (code !== undefined) throw Object.assign(new Error(`${code}: injected`), { code });
    if (throws !== undefined) throw throws;
    return armed.fault;
  }
}
