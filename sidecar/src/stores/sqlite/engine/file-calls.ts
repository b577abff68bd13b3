/** The system calls that take a descriptor, for files that path-calls.ts opened. */

import { hostError } from '../files/errno.ts';
import type { HostParts } from './path-calls.ts';
import { writeStat } from './wasm-stat.ts';

export interface FileCall {
  /** WASI's functions answer a failure by its number, Linux's by the number negated. */
  readonly family: 'linux' | 'wasi';
  /** Arguments as in the C function, 64-bit ones as bigint. Returns 0 or throws. */
  readonly run: (parts: HostParts, descriptor: number, a: Wide, b: number, c: number) => number;
}

/** An `off_t` is 64 bits wide and the first argument after the descriptor where there is one. */
type Wide = number | bigint;

// Commands of fcntl(2), and what a lock is called that nobody holds.
const F_GETFL = 3;
const F_GETLK = 12;
const F_UNLCK = 2;
const O_RDWR = 2;

const SEEK_CUR = 1;
const SEEK_END = 2;

/** Bytes of a `struct iovec`: address and length. */
const IOVEC = 8;

export const FILE_CALLS: Readonly<Record<string, FileCall>> = {
  fd_read: {
    family: 'wasi',
    run: ({ heap, open }, descriptor, vectors, count, out) => {
      const file = open.file(descriptor);
      open.flush(file);
      let total = 0;
      for (let i = 0; i < count; i++) {
        const address = heap.u32(Number(vectors) + IOVEC * i);
        const length = heap.u32(Number(vectors) + IOVEC * i + 4);
        const read = length === 0 ? 0 : file.read(heap.bytes, address, length);
        total += read;
        if (read < length) break;
      }
      heap.setU32(out, total);
      return 0;
    },
  },
  fd_write: {
    family: 'wasi',
    // What the disk takes less than asked for, SQLite writes by another call.
    run: ({ heap, open }, descriptor, vectors, count, out) => {
      const file = open.file(descriptor);
      let total = 0;
      for (let i = 0; i < count; i++) {
        const address = heap.u32(Number(vectors) + IOVEC * i);
        const length = heap.u32(Number(vectors) + IOVEC * i + 4);
        const written = length === 0 ? 0 : open.write(file, heap.bytes, address, length);
        total += written;
        if (written < length) break;
      }
      heap.setU32(out, total);
      return 0;
    },
  },
  fd_seek: {
    family: 'wasi',
    run: ({ heap, open }, descriptor, offset, whence, out) => {
      const file = open.file(descriptor);
      let position = Number(offset);
      if (whence === SEEK_CUR) position += file.position;
      else if (whence === SEEK_END) position += open.stat(descriptor).size;
      if (position < 0) throw hostError('EINVAL');
      file.position = position;
      heap.view.setBigInt64(out, BigInt(position), true);
      return 0;
    },
  },
  fd_sync: {
    family: 'wasi',
    run: ({ open }, descriptor) => {
      open.sync(descriptor);
      return 0;
    },
  },
  fd_close: {
    family: 'wasi',
    run: ({ open }, descriptor) => {
      open.close(descriptor);
      return 0;
    },
  },
  __syscall_fstat64: {
    family: 'linux',
    run: ({ heap, open }, descriptor, out) => {
      writeStat(heap, Number(out), open.stat(descriptor));
      return 0;
    },
  },
  __syscall_ftruncate64: {
    family: 'linux',
    run: ({ open }, descriptor, size) => {
      open.truncate(open.file(descriptor), Number(size));
      return 0;
    },
  },
  // Locks always succeed: WebAssembly has none, other processes are kept off by other means.
  __syscall_fcntl64: {
    family: 'linux',
    run: ({ heap }, _descriptor, command, varargs) => {
      if (command === F_GETLK) heap.view.setInt16(heap.u32(varargs), F_UNLCK, true);
      return command === F_GETFL ? O_RDWR : 0;
    },
  },
  // Permissions are those of the creation; the owner is the process, as for all its files.
  __syscall_fchmod: { family: 'linux', run: () => 0 },
  __syscall_fchown32: { family: 'linux', run: () => 0 },
};
