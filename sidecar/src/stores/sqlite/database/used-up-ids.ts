import { KINDS } from '../../../records/kinds.ts';
import { type Connection, SqliteError } from '../engine/connection.ts';
import { DatabaseError } from './database-error.ts';
import { readValue } from './read-rows.ts';
import { SQLITE_FULL } from './result-codes.ts';

/** The largest rowid; after it AUTOINCREMENT fails (https://sqlite.org/autoinc.html). */
const LAST_ID = '9223372036854775807';

/**
 * SQLite says SQLITE_FULL, and no call to the disk has failed: another program may have taken the
 * last id, and then no free space helps.
 *
 * @param doing what was tried, to read after "cannot": `append`
 * @param failure what an INSERT threw; its transaction has ended
 * @returns an error that says so, or the failure where that is not the cause
 */
export function explainFull(connection: Connection, doing: string, failure: unknown): unknown {
  if (!(failure instanceof SqliteError) || failure.code !== SQLITE_FULL) return failure;
  if (failure.hostCode !== undefined) return failure;
  const table = KINDS.map((kind) => kind.table).find((name) => hasLastId(connection, name));
  if (table === undefined) return failure;
  const why = `${table} has no id left: another program used the last, ${LAST_ID}`;
  return new DatabaseError(`cannot ${doing}: ${why}`, {
    cause: failure,
    inDoubt: false,
    hint: `give that row a lower id, and seq of ${table} in sqlite_sequence the highest that remains`,
  });
}

function hasLastId(connection: Connection, table: string): boolean {
  if (readValue(connection, `SELECT max(id) FROM ${table}`) === LAST_ID) return true;
  // Of a row that was deleted since. The table is there once one with AUTOINCREMENT was made.
  const counted = "SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'";
  if (readValue(connection, counted) === null) return false;
  return readValue(connection, 'SELECT seq FROM sqlite_sequence WHERE name = ?', table) === LAST_ID;
}
