import type { Connection } from '../engine/connection.ts';
import { DatabaseError } from './database-error.ts';
import { readValue } from './read-rows.ts';

const KIB = 1_024;

/**
 * A WAL that has grown beyond this, under checkpoints that failed, shrinks again afterwards. More
 * than it holds when one is due: to write it over costs a commit less than to let it grow again.
 */
const WAL_KEPT_BYTES = 48 * KIB * KIB;

/**
 * Settings of a connection, to be made before anything is read. They write nothing.
 *
 * @param cacheBytes of SQLite's page cache; its default of 2 MB makes ingest into a large table
 *   three times as slow
 */
export function applySettings(connection: Connection, cacheBytes: number): void {
  for (const setting of [
    // First: a WAL then keeps its index in the heap and needs no shared memory.
    'locking_mode = EXCLUSIVE',
    `cache_size = -${Math.max(1, Math.floor(cacheBytes / KIB))}`,
    // A commit has reached the disk when it returns.
    'synchronous = FULL',
    // Sorters and large index builds use the disk, not the heap.
    'temp_store = FILE',
    // See Checkpointer.
    'wal_autocheckpoint = 0',
    `journal_size_limit = ${WAL_KEPT_BYTES}`,
    // For a new file; an existing one keeps its own.
    'page_size = 4096',
  ]) {
    connection.exec(`PRAGMA ${setting}`);
  }
}

/** Makes the file one with a WAL; it stays so. */
export function useWal(connection: Connection): void {
  const mode = readValue(connection, 'PRAGMA journal_mode = WAL');
  if (mode === 'wal') return;
  throw new DatabaseError(`cannot give the database a WAL: its journal mode stays ${mode}`, {
    hint: 'make the database file and its directory writable',
  });
}
