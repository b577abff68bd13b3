import type { Kind } from '../../../records/kinds.ts';
import {
  type Item,
  type ListQuery,
  PAGE_BYTES,
  type Page,
  type Position,
} from '../../../records/list.ts';
import { StoreError } from '../../store-error.ts';
import type { Names } from '../ddl.ts';
import type { Session, TextRow } from '../session.ts';
import { isScanned, pageStatement, type Statement, sliceStatement } from './plan.ts';

/** How long one statement may take before it is cancelled. */
const STATEMENT_MS = 10_000;
/** A page whose filter has no index and that is not full by then is answered as it is. */
const PAGE_MS = 250;
const FIRST_SLICE_ROWS = 2_000;
const MAX_SLICE_ROWS = 32_000;
/** A slice that took less may be followed by one of twice the rows. */
const QUICK_SLICE_MS = 40;

/**
 * Reads one page.
 *
 * @throws what the session throws, or a {@link StoreError} when nobody waits any more
 */
export async function readPage(
  session: Session,
  names: Names,
  query: ListQuery,
  signal: AbortSignal | undefined,
): Promise<Page> {
  const run = ({ sql, values }: Statement) => {
    if (signal?.aborted === true) throw new StoreError('nobody waits for this list any more');
    return session.query(sql, values, STATEMENT_MS);
  };
  return isScanned(query) ? scan(query, names, run) : readAtOnce(query, names, run);
}

type Run = (statement: Statement) => Promise<readonly TextRow[]>;

async function readAtOnce(query: ListQuery, names: Names, run: Run): Promise<Page> {
  // One more than the limit tells whether there is a next page.
  const rows = await run(pageStatement(query, names, query.limit + 1));
  const items = rows.slice(0, query.limit).map((row) => readItem(query.kind, row, 0));
  const there = Number(rows[0]?.at(-1) ?? 0);
  return { items, next: there > items.length ? positionOf(items) : null };
}

async function scan(query: ListQuery, names: Names, run: Run): Promise<Page> {
  const items: Item[] = [];
  const deadline = performance.now() + PAGE_MS;
  let after = query.after;
  let slice = FIRST_SLICE_ROWS;
  let bytes = 0;
  for (;;) {
    const rest = after === undefined ? query : { ...query, after };
    const wanted = query.limit - items.length;
    const start = performance.now();
    const rows = await run(sliceStatement(rest, names, wanted, slice, PAGE_BYTES - bytes));
    const [seen, ts, id, matched] = rows[0] ?? [];
    const found = rows.filter((row) => row[4] !== null);
    for (const row of found) items.push(readItem(query.kind, row, 4));
    bytes += Number(found.at(-1)?.at(-1) ?? 0);
    // It is full: what follows the last item was not looked at as far as anyone can tell.
    const full = items.length >= query.limit || found.length < Number(matched);
    if (full) return { items, next: positionOf(items) };
    if (Number(seen) < slice) return { items, next: null };
    after = { ts: ts ?? '', id: id ?? '' };
    const now = performance.now();
    if (now >= deadline || bytes >= PAGE_BYTES) return { items, next: after };
    if (now - start < QUICK_SLICE_MS) slice = Math.min(MAX_SLICE_ROWS, slice * 2);
  }
}

function positionOf(items: readonly Item[]): Position | null {
  const last = items.at(-1);
  return last === undefined ? null : { ts: String(last.ts), id: String(last.id) };
}

/** Somebody else's NULL reads as empty or 0; a missing event_id stays null. */
function readItem(kind: Kind, row: TextRow, from: number): Item {
  const item: Record<string, string | number | null> = { id: row[from] ?? '' };
  kind.columns.forEach((column, i) => {
    const value = row[from + 1 + i] ?? null;
    if (column.type === 'number') item[column.name] = Number(value ?? 0);
    else item[column.name] = column.type === 'event_id' ? value : (value ?? '');
  });
  return item;
}
