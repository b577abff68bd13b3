/**
 * Error numbers as the WebAssembly side knows them: those of WASI, which differ from the host's.
 * https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#errno
 *
 * An error that is not listed (ESTALE of a network file system, a TypeError) becomes EIO, and the
 * connection has to be opened anew.
 */
const ERRNO: Readonly<Record<string, number>> = {
  EACCES: 2,
  EAGAIN: 6,
  EBADF: 8,
  EBUSY: 10,
  EDQUOT: 19,
  EEXIST: 20,
  EFBIG: 22,
  EINTR: 27,
  EINVAL: 28,
  EIO: 29,
  EISDIR: 31,
  ELOOP: 32,
  EMFILE: 33,
  ENAMETOOLONG: 37,
  ENFILE: 41,
  ENOENT: 44,
  ENOMEM: 48,
  ENOSPC: 51,
  ENOTDIR: 54,
  ENOTSUP: 58,
  EPERM: 63,
  EROFS: 69,
};

export const EIO = 29;
export const EBADF = 8;

/** An error that the host itself raises, with a code like those of node:fs. */
export function hostError(code: string): Error & { code: string } {
  return Object.assign(new Error(code), { code });
}

/** The code that an error carries, if any. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Codes of a write that found no room: a full volume, a quota, the largest size of a file. */
const NO_ROOM: ReadonlySet<string | undefined> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** Whether a call failed for want of room, so that nothing is wrong with what is there. */
export function isNoRoom(code: string | undefined): boolean {
  return NO_ROOM.has(code);
}

/** The number of a code, or undefined when the WebAssembly side has no such error. */
export function errnoOf(code: string | undefined): number | undefined {
  return code !== undefined && Object.hasOwn(ERRNO, code) ? ERRNO[code] : undefined;
}
