import type { Kind } from '../../../records/kinds.ts';
import { parseTime } from '../../../records/time.ts';
import type { Connection, Statement } from '../engine/connection.ts';
import { prepare } from './prepare.ts';

const MIN_ID = '-9223372036854775808';
const BATCH_ROWS = 1_000;
const DIGITS = (n: number) => '[0-9]'.repeat(n);
const STORED_GLOB = `${DIGITS(4)}-${DIGITS(2)}-${DIGITS(2)}T${DIGITS(2)}:${DIGITS(2)}:${DIGITS(2)}.${DIGITS(9)}Z`;

/** How many times were brought into the stored form, and how many could not be read as one. */
export interface RewrittenTimes {
  readonly rewritten: number;
  readonly unreadable: number;
}

/**
 * Brings the times of a table that another program wrote into the stored form. Upstream trims
 * trailing zeros of the fraction, and `46.5Z` sorts after `46.51Z`. A text that is no time stays
 * as it is, but for bytes in it that are no UTF-8: each becomes U+FFFD, since a list goes on after a
 * text that it has read, and would look for it in vain. Must run in a transaction; holds one batch of rows at a time.
 *
 * @param afterId of the last row that was looked at before: then only rows without an event_id are, as no
 *   sidecar writes them
 */
export function rewriteTimes(connection: Connection, kind: Kind, afterId?: string): RewrittenTimes {
  const foreign = afterId === undefined ? '' : 'event_id IS NULL AND';
  const adopt = (sql: string) => prepare(connection, sql, `adopt ${kind.table}`);
  const select = adopt(
    `SELECT CAST(id AS TEXT), ts FROM ${kind.table}
      WHERE ${foreign} id > CAST(? AS INTEGER) AND NOT coalesce(typeof(ts) = 'text' AND ts GLOB ?, 0)
      ORDER BY id LIMIT ${BATCH_ROWS}`,
  );
  const update = adopt(`UPDATE ${kind.table} SET ts = ? WHERE id = CAST(? AS INTEGER)`);
  const repair = adopt(
    `UPDATE ${kind.table} SET ts = ?1 WHERE id = CAST(?2 AS INTEGER)
      AND typeof(ts) = 'text' AND CAST(ts AS BLOB) <> CAST(?1 AS BLOB)`,
  );
  let rewritten = 0;
  let unreadable = 0;
  try {
    let after = afterId ?? MIN_ID;
    for (;;) {
      const batch = readBatch(select, after);
      for (const [id, text] of batch) {
        const ts = parseTime(text);
        const statement = ts === undefined ? repair : update;
        statement.bindText(1, ts ?? text);
        statement.bindText(2, id);
        statement.run();
        if (ts === undefined) unreadable += 1;
        else rewritten += 1;
      }
      const last = batch.at(-1);
      if (last === undefined) return { rewritten, unreadable };
      after = last[0];
    }
  } finally {
    select.finalize();
    update.finalize();
    repair.finalize();
  }
}

function readBatch(select: Statement, after: string): [id: string, ts: string][] {
  select.bindText(1, after);
  select.bindText(2, STORED_GLOB);
  const batch: [string, string][] = [];
  try {
    while (select.step()) batch.push([select.text(0), select.isNull(1) ? '' : select.text(1)]);
  } finally {
    select.reset();
  }
  return batch;
}
