/**
 * The system calls that take a path, as the database's directory answers them. This table and
 * the one in file-calls.ts are all that SQLite's unix VFS asks of an operating system.
 */

import { hostError } from '../files/errno.ts';
import type { Heap } from './heap.ts';
import type { OpenFiles } from './open-files.ts';
import { writeStat } from './wasm-stat.ts';

/** What the calls work on. */
export interface HostParts {
  readonly heap: Heap;
  readonly open: OpenFiles;
}

export interface PathCall {
  /** Which argument is the address of the path. */
  readonly path: 0 | 1;
  /**
   * A failure is an answer: SQLite asks whether a journal is there. Elsewhere one is remembered
   * as the cause of what SQLite reports.
   */
  readonly question?: true;
  /** Arguments as in the C function. Returns a descriptor or 0, or throws an error with a code. */
  readonly run: (
    parts: HostParts,
    path: string,
    a: number,
    b: number,
    c: number,
    d: number,
  ) => number;
}

// Flags of open(2) in Emscripten's C library.
const O_ACCMODE = 0o3;
const O_CREAT = 0o100;
const O_EXCL = 0o200;
const AT_SYMLINK_NOFOLLOW = 0x100;

export const PATH_CALLS: Readonly<Record<string, PathCall>> = {
  __syscall_openat: {
    path: 1,
    run: ({ heap, open }, path, _directory, _path, flags, varargs) =>
      open.open(path, {
        writable: (flags & O_ACCMODE) !== 0,
        create: (flags & O_CREAT) !== 0,
        exclusive: (flags & O_EXCL) !== 0,
        permissions: (flags & O_CREAT) !== 0 ? heap.u32(varargs) : 0,
      }),
  },
  __syscall_unlinkat: {
    path: 1,
    run: ({ open }, path, _directory, _path, flags) => {
      if (flags !== 0) throw hostError('EPERM'); // AT_REMOVEDIR: SQLite has no directories
      open.unlink(path);
      return 0;
    },
  },
  __syscall_faccessat: {
    path: 1,
    question: true,
    // F_OK, R_OK, W_OK and X_OK are the same numbers everywhere.
    run: ({ open }, path, _directory, _path, mode) => {
      open.files.access(path, mode);
      return 0;
    },
  },
  __syscall_stat64: {
    path: 0,
    question: true,
    run: (parts, path, _path, out) => stat(parts, path, out),
  },
  __syscall_newfstatat: {
    path: 1,
    question: true,
    run: (parts, path, _directory, _path, out, flags) =>
      (flags & AT_SYMLINK_NOFOLLOW) === 0 ? stat(parts, path, out) : lstat(parts, path, out),
  },
  // Given as such: SQLite looks for symbolic links with it.
  __syscall_lstat64: {
    path: 0,
    question: true,
    run: (parts, path, _path, out) => lstat(parts, path, out),
  },
  // The path was resolved before SQLite saw it: a link that appears later is not followed.
  __syscall_readlinkat: { path: 1, run: refuse('ELOOP') },
  __syscall_mkdirat: { path: 1, run: refuse('EPERM') }, // locks by directory, a VFS not in use
  __syscall_rmdir: { path: 0, run: refuse('EPERM') },
  __syscall_utimensat: { path: 1, run: refuse('EPERM') },
  __syscall_chmod: { path: 0, run: refuse('EPERM') },
};

function stat({ heap, open }: HostParts, path: string, out: number): number {
  open.flushAll(); // the size must count what is pending
  writeStat(heap, out, open.files.stat(path));
  return 0;
}

function lstat({ heap, open }: HostParts, path: string, out: number): number {
  open.flushAll();
  writeStat(heap, out, open.files.lstat(path));
  return 0;
}

function refuse(code: string): PathCall['run'] {
  return () => {
    throw hostError(code);
  };
}
