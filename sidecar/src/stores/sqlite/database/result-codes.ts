/**
 * What SQLite's primary result codes (https://sqlite.org/rescode.html) mean for a store: whether
 * trying again may help, and what a person can do. The unknown is tried again.
 */

import type { StoreErrorClass } from '../../store-error.ts';
import { SqliteError } from '../engine/connection.ts';
import { codeOf, isNoRoom } from '../files/errno.ts';
import { DatabaseError } from './database-error.ts';
import { IgnoredRowError } from './ignored-row.ts';

interface ResultCode {
  readonly name: string;
  readonly class: StoreErrorClass;
  readonly hint?: string;
}

export const SQLITE_ERROR = 1;
export const SQLITE_FULL = 13;
export const SQLITE_CONSTRAINT = 19;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

const CODES: Readonly<Record<number, ResultCode>> = {
  1: { name: 'SQLITE_ERROR', class: 'transient' },
  3: {
    name: 'SQLITE_PERM',
    class: 'transient',
    hint: 'let the process read and write the database file and its directory',
  },
  5: { name: 'SQLITE_BUSY', class: 'transient', hint: 'close whatever else has the file open' },
  6: { name: 'SQLITE_LOCKED', class: 'transient' },
  7: { name: 'SQLITE_NOMEM', class: 'transient', hint: 'lower STORAGE_SQLITE_CACHE' },
  8: {
    name: 'SQLITE_READONLY',
    class: 'transient',
    hint: 'make the database file and its directory writable',
  },
  10: { name: 'SQLITE_IOERR', class: 'transient', hint: 'check the volume' },
  11: { name: 'SQLITE_CORRUPT', class: 'transient' },
  13: { name: 'SQLITE_FULL', class: 'transient', hint: 'free space or enlarge the volume' },
  14: {
    name: 'SQLITE_CANTOPEN',
    class: 'transient',
    hint: 'check that the directory exists and is writable',
  },
  17: { name: 'SQLITE_SCHEMA', class: 'transient' },
  18: { name: 'SQLITE_TOOBIG', class: 'data' },
  19: { name: 'SQLITE_CONSTRAINT', class: 'data' },
  20: { name: 'SQLITE_MISMATCH', class: 'data' },
  26: { name: 'SQLITE_NOTADB', class: 'transient' },
};

/** What the host's own error says more exactly than SQLite's code. */
const HOST_HINTS: Readonly<Record<string, string>> = {
  ENOSPC: 'free space or enlarge the volume',
  EDQUOT: 'raise the quota of the volume',
  EFBIG: 'the file has reached the largest size that the volume or ulimit allows',
  EROFS: 'the volume is mounted read-only: mount it writable',
  EACCES: 'let the process read and write the database file and its directory',
  EPERM: 'let the process read and write the database file and its directory',
  EIO: 'the disk fails: check the volume and the log of the machine',
  EMFILE: 'raise the limit of open files',
  ENFILE: 'raise the limit of open files',
};

const READ_FAILURES = new Set(['EIO', 'ESTALE', 'ETIMEDOUT', 'ENXIO', 'ENODEV']);

/**
 * Turns whatever a database operation threw into an error for the store. SQLite's own message is
 * left out, since a trigger or a CHECK of somebody else's may put a value into it.
 *
 * @param doing what was tried, to read after "cannot": `append`
 * @param refusable whether a value of a record was at stake, which the database may refuse
 * @param lost whether committed records are gone with it
 * @param sound whether the connection is; one that is not stays in doubt whatever failed
 */
export function databaseError(
  doing: string,
  thrown: unknown,
  { refusable = false, sound = false, lost = false } = {},
): DatabaseError {
  if (thrown instanceof DatabaseError) return thrown;
  if (thrown instanceof IgnoredRowError) {
    return new DatabaseError(`cannot ${doing}: ${thrown.message}`, {
      class: refusable ? 'data' : 'transient',
      cause: thrown,
      hint: 'look for RAISE(IGNORE) and ON CONFLICT IGNORE in the schema of the file',
    });
  }
  if (!(thrown instanceof SqliteError)) {
    const code = codeOf(thrown);
    const what = code ?? (thrown instanceof Error ? thrown.name : typeof thrown);
    const hint = code === undefined ? undefined : HOST_HINTS[code];
    return new DatabaseError(`cannot ${doing}: ${what}`, {
      cause: thrown,
      ...(hint ? { hint } : {}),
    });
  }
  const known = CODES[thrown.code];
  const name = known?.name ?? `SQLite result code ${thrown.code}`;
  const hint = (thrown.hostCode && HOST_HINTS[thrown.hostCode]) ?? known?.hint;
  const host = thrown.hostCode === undefined ? '' : ` (${thrown.hostCode})`;
  const errorClass = refusable ? (known?.class ?? 'transient') : 'transient';
  return new DatabaseError(`cannot ${doing}: ${name}${host}`, {
    class: errorClass,
    corrupt: isCorruption(thrown),
    inDoubt: errorClass !== 'data' && !(sound && lacksRoom(thrown)),
    lost,
    cause: thrown,
    ...(hint ? { hint } : {}),
  });
}

/** Whether a write found no room. */
export function lacksRoom(thrown: unknown): boolean {
  if (!(thrown instanceof SqliteError)) return false;
  return thrown.hostCode === undefined ? thrown.code === SQLITE_FULL : isNoRoom(thrown.hostCode);
}

/** Whether SQLite says that the file is damaged, or no database at all. */
export function isCorruption(thrown: unknown): boolean {
  if (thrown instanceof DatabaseError) return thrown.corrupt;
  if (!(thrown instanceof SqliteError)) return false;
  // A disk that failed to read may have shown SQLite a page that is not in the file.
  if (thrown.hostCode !== undefined && READ_FAILURES.has(thrown.hostCode)) return false;
  return thrown.code === SQLITE_CORRUPT || thrown.code === SQLITE_NOTADB;
}
