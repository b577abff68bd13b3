import { mkdirSync, rmdirSync } from 'node:fs';

/**
 * The directory in the place of SQLite's shared-memory file, `<database>-shm`, while the database
 * is open. Another SQLite that opens the file then cannot make its WAL index: it reads live rows
 * through an index of its own, its writes are refused, and it neither checkpoints nor deletes the
 * WAL. Without it, the end of such a reader deletes the WAL under us, since it sees none of our
 * locks.
 *
 * Runs in the worker, whose calls may block.
 */
export function makeShmDirectory(database: string): void {
  try {
    mkdirSync(shmDirectory(database), 0o750);
  } catch (error) {
    // Ours, left behind by a kill: only an empty directory makes sense here, and this one serves.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** Removes the directory, after the database is closed and its WAL is gone. */
export function removeShmDirectory(database: string): void {
  try {
    rmdirSync(shmDirectory(database));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

function shmDirectory(database: string): string {
  return `${database}-shm`;
}
