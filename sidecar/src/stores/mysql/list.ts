import type { Kind } from '../../records/kinds.ts';
import {
  type Item,
  type ListQuery,
  PAGE_BYTES,
  type Page,
  type Position,
} from '../../records/list.ts';
import { StoreError } from '../store-error.ts';
import { errorNumber } from './errors.ts';
import { fetchSql, type Plan, planList, WAYS } from './list-sql.ts';
import type { Row, Session } from './session.ts';

/** How long a page may take to find its rows; one that is not full then is answered. */
const PAGE_MS = 250;
/** Rows looked at by one statement, some milliseconds of work; in each branch a share of them. */
const SLICE_ROWS = 5_000;
const LEAST_SLICE_ROWS = 100;
/** Rows read by one statement: 7 MB at most. */
const FETCH_SHAPES = [1, 10, 100];
/** A list is not worth more: the server goes on with a statement that nobody waits for. */
const STATEMENT_MS = 15_000;

/** FORCE INDEX names one that somebody dropped. */
const NO_SUCH_INDEX = 1176;

/**
 * Reads one page, by the first way whose index is there.
 *
 * @throws the driver's error, or a StoreError when nobody waits any more
 */
export async function readPage(
  session: Session,
  query: ListQuery,
  signal: AbortSignal | undefined,
): Promise<Page> {
  for (const way of WAYS) {
    try {
      return await readPlan(session, planList(query, way), signal);
    } catch (error) {
      if (errorNumber(error) !== NO_SUCH_INDEX) throw error;
    }
  }
  throw new RangeError('the last way names no index');
}

/**
 * Reads one page: first the places of its rows, then the rows. Where rows must be looked at that may
 * not match, it does so in slices.
 */
async function readPlan(
  session: Session,
  plan: Plan,
  signal: AbortSignal | undefined,
): Promise<Page> {
  const { query } = plan;
  if (plan.branches === 0) return { items: [], next: null };
  const deadline = performance.now() + PAGE_MS;
  const items: Item[] = [];
  let bytes = 0;
  let after = query.after;
  do {
    if (signal?.aborted === true) throw new StoreError('nobody waits for this list any more');
    const frontier = plan.scans ? await frontierOf(session, plan, after) : undefined;
    const rest = query.limit - items.length;
    // One more than the limit tells whether there is a next page.
    const found = await positions(session, plan, rest + 1, after, frontier);
    const wanted = found.slice(0, rest);
    for (const part of cut(wanted)) {
      const rows = await fetch(session, query.kind, part);
      for (const { item, size } of rows) {
        items.push(item);
        bytes += size;
      }
      after = part.at(-1);
      if (bytes >= PAGE_BYTES) return { items, next: after ?? null };
    }
    if (found.length > rest) return { items, next: wanted.at(-1) ?? null };
    if (frontier === undefined) return { items, next: null };
    after = frontier;
  } while (items.length < query.limit && performance.now() < deadline);
  return { items, next: after };
}

/** The last row that one slice looks at in every branch; undefined when none has more rows. */
async function frontierOf(
  session: Session,
  plan: Plan,
  after: Position | undefined,
): Promise<Position | undefined> {
  const rows = Math.max(LEAST_SLICE_ROWS, Math.floor(SLICE_ROWS / plan.branches));
  const { sql, values } = plan.upTo(rows, after);
  const found = (await session.execute(sql, values, STATEMENT_MS)).rows.map(positionOf);
  const forward = plan.query.order === 'asc';
  return found.reduce<Position | undefined>((first, position) => {
    if (first === undefined) return position;
    return comesFirst(position, first) === forward ? position : first;
  }, undefined);
}

async function positions(
  session: Session,
  plan: Plan,
  limit: number,
  after: Position | undefined,
  frontier: Position | undefined,
): Promise<Position[]> {
  const { sql, values } = plan.matches(limit, after, frontier);
  return (await session.execute(sql, values, STATEMENT_MS)).rows.map(positionOf);
}

interface Fetched {
  readonly item: Item;
  /** Bytes of its texts. */
  readonly size: number;
}

async function fetch(
  session: Session,
  kind: Kind,
  wanted: readonly Position[],
): Promise<Fetched[]> {
  const ids = wanted.map(({ id }) => id);
  const shape = FETCH_SHAPES.find((size) => size >= ids.length) ?? ids.length;
  const padded = [...ids, ...new Array<string>(shape - ids.length).fill(ids.at(-1) ?? '0')];
  const { rows } = await session.execute(fetchSql(kind, shape), padded, STATEMENT_MS);
  const byId = new Map(rows.map((row) => [String(row[0]), row]));
  // One that was deleted meanwhile is not there.
  return ids.flatMap((id) => {
    const row = byId.get(id);
    return row === undefined ? [] : [itemOf(kind, row)];
  });
}

/** Somebody else's NULL reads as empty or 0; a missing event_id stays null. */
function itemOf(kind: Kind, row: Row): Fetched {
  const item: Record<string, string | number | null> = { id: String(row[0]) };
  let size = 0;
  kind.columns.forEach((column, i) => {
    const value = row[i + 1] ?? null;
    if (column.type === 'number') {
      item[column.name] = Number(value ?? 0);
    } else if (column.type === 'event_id' && value === null) {
      item[column.name] = null;
    } else {
      const text = String(value ?? '');
      item[column.name] = text;
      size += Buffer.byteLength(text);
    }
  });
  return { item, size };
}

function* cut(wanted: readonly Position[]): Generator<readonly Position[]> {
  const most = FETCH_SHAPES.at(-1) ?? 1;
  for (let at = 0; at < wanted.length; at += most) yield wanted.slice(at, at + most);
}

function positionOf([id, ts]: Row): Position {
  return { id: String(id), ts: String(ts) };
}

/** Whether a stands before b in ascending order. Times are ASCII, ids are integers. */
function comesFirst(a: Position, b: Position): boolean {
  return a.ts === b.ts ? BigInt(a.id) < BigInt(b.id) : a.ts < b.ts;
}
