/**
 * One statement a batch: atomic, one round trip, and no COMMIT whose answer could be lost alone. A
 * client that vanishes leaves no transaction behind on which its next attempt would wait.
 */

import type { Column } from '../../records/kinds.ts';
import type { Rows } from '../../records/rows.ts';
import { isOfRecords } from './catalogue.ts';
import { type ColumnArrays, columnArrays } from './column-arrays.ts';
import type { Names } from './ddl.ts';
import { idTaken, refusingIndex } from './errors.ts';
import type { Session, TextRow } from './session.ts';
import { confirmStored, type PassedOver } from './stored-already.ts';

/**
 * How long a batch may take: waiting for a lock that somebody's maintenance holds, say. Then the
 * statement is cancelled, and the recorder tries again.
 */
export const APPEND_MS = 20_000;

const ARRAY_TYPES: Readonly<Record<Column['type'], string>> = {
  time: 'text[]',
  text: 'text[]',
  event_id: 'text[]',
  number: 'float8[]',
};

/**
 * Stores the rows, or none of them. Where some are said to be stored already, two more round trips
 * make sure of it.
 *
 * @param timeoutMs for each statement
 * @returns indexes, ascending, of those that were stored already or stand twice in the batch
 * @throws what the session throws, or a StoreError where what is said to be stored is not
 */
export async function appendRows(
  session: Session,
  names: Names,
  rows: Rows,
  timeoutMs: number,
): Promise<number[]> {
  if (rows.count === 0) return [];
  const batch = columnArrays(rows);
  const answer = await insert(session, names, batch, timeoutMs);
  const duplicates: number[] = [];
  const passedOver: PassedOver[] = [];
  for (const [i, arrays] of batch.entries()) {
    const [, stored] = answer.find(([n]) => n === String(i)) ?? [];
    if (stored === undefined) throw new Error('the answer tells nothing of a table');
    // Null: all of them.
    if (stored === null) continue;
    const inserted = new Set(stored.split(' '));
    const left = new Set(inserted);
    const others = new Set<string>();
    // Of equal ones the first was stored.
    for (const [j, id] of arrays.eventIds().entries()) {
      if (left.delete(id)) continue;
      duplicates.push(arrays.indexes[j] as number);
      if (!inserted.has(id)) others.add(id);
    }
    if (others.size > 0) passedOver.push({ kind: arrays.kind, eventIds: [...others] });
  }
  const [first, ...rest] = passedOver;
  if (first !== undefined) await confirmStored(session, names, [first, ...rest], timeoutMs);
  return duplicates.sort((a, b) => a - b);
}

/**
 * A clash of ids is none of a record's doing: a sequence that stands behind its table, as after a
 * careless restore. The failed statement has moved it on, so that a trial write may well succeed.
 */
async function insert(
  session: Session,
  names: Names,
  batch: readonly ColumnArrays[],
  timeoutMs: number,
): Promise<readonly TextRow[]> {
  const values = batch.flatMap(({ arrays }) => arrays);
  try {
    return await session.query(insertSql(batch, names), values, timeoutMs);
  } catch (error) {
    const index = refusingIndex(error);
    if (index === undefined || (await isOfRecords(session, index, timeoutMs))) throw error;
    throw idTaken('append', error);
  }
}

/** Event ids hold no blanks; those that were stored are told only where some were not. */
function insertSql(batch: readonly ColumnArrays[], names: Names): string {
  let parameter = 0;
  const inserts: string[] = [];
  const counts: string[] = [];
  for (const [i, { kind, indexes }] of batch.entries()) {
    const columns = kind.columns.map(({ name }) => name).join(', ');
    const arrays = kind.columns.map((column) => {
      parameter += 1;
      return `$${parameter}::${ARRAY_TYPES[column.type]}`;
    });
    inserts.push(
      `k${i} AS (INSERT INTO ${names.table(kind.table)} (${columns}) ` +
        `SELECT * FROM unnest(${arrays.join(', ')}) ` +
        'ON CONFLICT (event_id) DO NOTHING RETURNING event_id)',
    );
    counts.push(
      `SELECT ${i}, CASE WHEN count(*) < ${indexes.length} ` +
        `THEN coalesce(string_agg(event_id, ' '), '') END FROM k${i}`,
    );
  }
  return `WITH ${inserts.join(', ')} ${counts.join(' UNION ALL ')}`;
}
