import { lstatSync, mkdirSync, rmdirSync } from 'node:fs';
import { StoreError } from '../../store-error.ts';
import { directoryError } from '../files/directory-error.ts';
import { codeOf } from '../files/errno.ts';

/**
 * The directory in the place of SQLite's shared-memory file, `<database>-shm`, while the database
 * is open. Another SQLite that opens the file then cannot make its WAL index: it reads live rows
 * through an index of its own, its writes are refused, and it neither checkpoints nor deletes the
 * WAL. Without it, the end of such a reader deletes the WAL under us, since it sees none of our
 * locks.
 *
 * Runs in the worker, whose calls may block.
 *
 * @throws StoreError when the directory does not let us
 */
export function makeShmDirectory(database: string): void {
  const path = shmDirectory(database);
  try {
    mkdirSync(path, 0o750);
  } catch (error) {
    // Ours, left behind by a kill: only an empty directory makes sense here, and this one serves.
    if (codeOf(error) !== 'EEXIST') throw directoryError(`make the directory ${path}`, error);
  }
}

/**
 * Removes the directory, after the database is closed and its WAL is gone.
 *
 * @throws StoreError when that fails, as where somebody has put something into it
 */
export function removeShmDirectory(database: string): void {
  const path = shmDirectory(database);
  try {
    rmdirSync(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw directoryError(`remove the directory ${path}`, error);
  }
}

/**
 * @throws StoreError when it is not there any more, or something else is: the WAL is then without
 * protection until the database is opened anew
 */
export function requireShmDirectory(database: string): void {
  const path = shmDirectory(database);
  if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
  throw new StoreError(`the directory ${path} was removed`, {
    hint: 'leave it where it is: it keeps other programs from deleting records; it is made anew',
  });
}

function shmDirectory(database: string): string {
  return `${database}-shm`;
}
