/**
 * Rows that another program writes to a file after its adoption: AgentTier 0.8 itself, to which an operator
 * may go back for a while. They have no event_id, and times in a form of their own.
 */

import type { Kind } from '../../../records/kinds.ts';
import type { Connection } from '../engine/connection.ts';
import { META_TABLE } from './ddl.ts';
import { readValue } from './read-rows.ts';

/** Before every id. */
const NONE = '-9223372036854775808';

const key = ({ table }: Kind) => `adopted_through_${table}`;

/**
 * The id after which rows of others are to be brought into the stored form; undefined where there are none.
 * A step in the index by event_id tells.
 *
 * @param kind whose table has that index, in a file that has been adopted
 */
export function lateRowsAfter(connection: Connection, kind: Kind): string | undefined {
  const last = lastForeign(connection, kind);
  if (last === null) return undefined;
  const sql = `SELECT value FROM ${META_TABLE} WHERE key = ?`;
  const known = readValue(connection, sql, key(kind)) ?? NONE;
  const after = /^-?\d{1,19}$/.test(known) ? known : NONE;
  return BigInt(last) > BigInt(after) ? after : undefined;
}

/** Remembers that all rows of others there are now have been looked at. Must run in a transaction. */
export function noteAdopted(connection: Connection, kind: Kind): void {
  const last = lastForeign(connection, kind);
  if (last === null) return;
  run(connection, `DELETE FROM ${META_TABLE} WHERE key = ?`, key(kind));
  run(connection, `INSERT INTO ${META_TABLE} (key, value) VALUES (?, ?)`, key(kind), last);
}

function run(connection: Connection, sql: string, ...values: string[]): void {
  const statement = connection.prepare(sql);
  try {
    values.forEach((value, i) => {
      statement.bindText(i + 1, value);
    });
    statement.run();
  } finally {
    statement.finalize();
  }
}

function lastForeign(connection: Connection, { table }: Kind): string | null {
  return readValue(
    connection,
    `SELECT CAST(id AS TEXT) FROM ${table} WHERE event_id IS NULL ORDER BY id DESC LIMIT 1`,
  );
}
