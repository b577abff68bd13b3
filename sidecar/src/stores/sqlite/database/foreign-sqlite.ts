/**
 * Another SQLite on our file, before we open it. Ours runs in WebAssembly, where its locks reach
 * nobody and it sees nobody's, so it looks at the kernel's table of locks instead.
 */

import { dirname } from 'node:path';
import type { FileLayer, FileStat } from '../files/file-layer.ts';
import { DatabaseError } from './database-error.ts';
import { type PosixLock, posixLocks } from './posix-locks.ts';

const FILE_TYPE = 0o170000;
const DIRECTORY = 0o040000;

/** Where SQLite locks a database: PENDING_BYTE to the end of the shared range, os.h of SQLite. */
const DATABASE_LOCKS = { from: 0x40000000, to: 0x40000000 + 511 };
/** Where it locks the shared memory of a WAL: https://sqlite.org/walformat.html#locks. */
const SHM_LOCKS = { from: 120, to: 128 };

/**
 * Removes the file `<database>-shm` that another SQLite has left behind, so that our directory can
 * take its place. It holds an index of the WAL and nothing else; whoever needs one builds it anew.
 *
 * @throws DatabaseError while another process has the database open, naming it
 */
export function clearForeignShm(files: FileLayer, database: string, locks = posixLocks): void {
  const path = `${database}-shm`;
  const found = statIfThere(files, path);
  if (found === undefined || (found.mode & FILE_TYPE) === DIRECTORY) return;
  const holder = locks().find((lock) => lock.inode === found.inode && overlaps(lock, SHM_LOCKS));
  if (holder !== undefined) throw inUse(database, holder);
  files.unlink(path);
  files.syncDirectory(dirname(path));
}

/**
 * Refuses while another SQLite writes the file. One that reads does no harm: it ends its read or
 * finds the file changed.
 *
 * @throws DatabaseError naming the process
 */
export function refuseForeignWriter(files: FileLayer, database: string, locks = posixLocks): void {
  const found = statIfThere(files, database);
  if (found === undefined) return;
  const holder = locks().find(
    (lock) => lock.write && lock.inode === found.inode && overlaps(lock, DATABASE_LOCKS),
  );
  if (holder !== undefined) throw inUse(database, holder);
}

/** Whatever lies there, a link included; undefined when nothing does. */
function statIfThere(files: FileLayer, path: string): FileStat | undefined {
  try {
    return files.lstat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function overlaps(lock: PosixLock, range: { from: number; to: number }): boolean {
  return lock.from <= range.to && lock.to >= range.from;
}

function inUse(database: string, { pid }: PosixLock): DatabaseError {
  const who = pid > 0 ? `process ${pid}` : 'another process';
  return new DatabaseError(`${who} has ${database} open with an SQLite of its own`, {
    hint: 'end it, or let it open the file while the sidecar runs: then it reads and cannot harm',
  });
}
