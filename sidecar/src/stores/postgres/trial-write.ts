/** Writes that are taken back: they prove something, and leave no row behind. */

import { newEventId } from '../../records/event-id.ts';
import { KINDS, type Kind } from '../../records/kinds.ts';
import type { Names } from './ddl.ts';
import type { Session } from './session.ts';
import { swallowed } from './swallowed.ts';

const PROBE_MS = 10_000;

/**
 * Inserts a row of each kind and takes them back, in one round trip.
 *
 * @throws what the session throws, or a StoreError where a table swallows its row
 */
export async function rehearse(session: Session, names: Names): Promise<void> {
  const inserts = KINDS.map((kind) => trialSql(kind, names));
  const sql = ['BEGIN', ...inserts, 'ROLLBACK'].join('; ');
  const kept = await session.query(sql, [], PROBE_MS);
  for (const kind of KINDS) requireKept(kind, kept, 'write');
}

/**
 * Waits until all that was committed before is as durable as a commit of one's own: on the server's
 * disk and, where it waits for standbys, on theirs. Reading a row tells nothing of that: one whose
 * wait for the standby was cancelled, or cut short by a crash, is visible all the same.
 *
 * A commit flushes and waits only if the transaction has an id and has written to the WAL
 * (RecordTransactionCommit in src/backend/access/transam/xact.c). A row that is taken back to a
 * savepoint gives it both, by the rights that there are anyway.
 *
 * @param kind whose table the row goes to
 * @param timeoutMs after which it is cancelled
 * @throws what the session throws, or a StoreError where the table swallows the row: nothing was
 * written then, and nothing waited for. The session may be within a transaction.
 */
export async function awaitDurability(
  session: Session,
  names: Names,
  kind: Kind,
  timeoutMs: number,
): Promise<void> {
  const sql = [
    'BEGIN',
    'SAVEPOINT barrier',
    trialSql(kind, names),
    'ROLLBACK TO SAVEPOINT barrier',
    'COMMIT',
  ].join('; ');
  requireKept(kind, await session.query(sql, [], timeoutMs), 'append');
}

/**
 * Answers a row with the kind's table, if one was inserted. ON CONFLICT as in an append: with it the
 * server refuses tables that it would take a plain row for, such as one with a rule.
 */
function trialSql(kind: Kind, names: Names): string {
  const columns = kind.columns.map(({ name }) => name).join(', ');
  const values = kind.columns.map(({ type }) => {
    if (type === 'number') return '0';
    // Its own, or sidecars that try at once would wait for each other.
    return type === 'event_id' ? `'${newEventId()}'` : "''";
  });
  const insert = `INSERT INTO ${names.table(kind.table)} (${columns}) VALUES (${values.join(', ')})`;
  return `${insert} ON CONFLICT (event_id) DO NOTHING RETURNING '${kind.table}'`;
}

function requireKept(
  { table }: Kind,
  kept: readonly (readonly (string | null)[])[],
  doing: string,
): void {
  if (!kept.some(([name]) => name === table)) throw swallowed(doing, table);
}
