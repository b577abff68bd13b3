/**
 * One bounded step of a list. Reads share the connection with the commits, so a list is read in
 * slices of a few milliseconds, and commits go between them.
 */

import type { Item, ListQuery, Page, Position } from '../../../../records/list.ts';
import type { Connection, Statement } from '../../engine/connection.ts';
import { comparePositions } from './order.ts';
import { fetchSql, type Plan, planList } from './plan.ts';
import { StatementCache } from './statement-cache.ts';
import { Stream } from './stream.ts';

/** About this many bytes of texts are answered at most, and one row at least. */
export const SLICE_BYTES = 4 * 1_024 * 1_024;

/** Part of the time in which rows are looked for; in the rest they are read. */
const SEARCH_SHARE = 0.75;
/** Part of that time which is left for merging in any case. */
const MERGE_SHARE = 0.5;
const ROWS_PER_LOOK = 16;
const CACHED_STATEMENTS = 32;

/** A page of what could be read in the time: go on from `next` with what is left of the limit. */
export interface Slice extends Page {
  /** Bytes of the items' texts. */
  readonly bytes: number;
}

export interface SliceBounds {
  /** How long the slice may take, in milliseconds; it goes over by some rows. */
  readonly budgetMs: number;
  readonly maxBytes?: number;
}

export class SliceReader {
  readonly #statements: StatementCache;

  constructor(connection: Connection) {
    this.#statements = new StatementCache(connection, CACHED_STATEMENTS);
  }

  /** Throws what the connection throws; leaves no statement on a row. */
  read(query: ListQuery, bounds: SliceBounds): Slice {
    const start = performance.now();
    const plan = planList(query);
    const { found, next } = this.#search(plan, bounds.budgetMs * SEARCH_SHARE);

    const items: Item[] = [];
    const maxBytes = bounds.maxBytes ?? SLICE_BYTES;
    const deadline = Math.max(
      start + bounds.budgetMs,
      performance.now() + bounds.budgetMs * (1 - SEARCH_SHARE),
    );
    let bytes = 0;
    for (const position of found) {
      const late = items.length % ROWS_PER_LOOK === 0 && performance.now() >= deadline;
      if (items.length > 0 && (bytes >= maxBytes || late)) {
        return { items, next: found[items.length - 1] ?? null, bytes };
      }
      const row = this.#fetch(query, position);
      items.push(row.item);
      bytes += row.bytes;
    }
    return { items, next, bytes };
  }

  /**
   * Merges the streams. A row is certain once every stream has looked past it; the least advanced
   * one sets how far that is.
   */
  #search(plan: Plan, budgetMs: number): { found: Position[]; next: Position | null } {
    const { limit, order } = plan.query;
    const start = performance.now();
    const streams = plan.streams.map((value) => new Stream(plan, value, this.#statements));
    // One more than the limit tells whether there is a next page.
    const share = Math.min(limit + 1, Math.ceil((limit * 2) / streams.length) + 1);
    for (const stream of streams) stream.advance(share, start + budgetMs);
    // With very many streams their beginnings alone take the time: merge at least for a while.
    const mergeMs = streams.length > 1 ? budgetMs * MERGE_SHARE : 0;
    const deadline = Math.max(start + budgetMs, performance.now() + mergeMs);
    let least = leastAdvanced(streams, order);
    while (least !== undefined && performance.now() < deadline) {
      if (certainRows(streams, least.reach, order).length > limit) break;
      least.advance(share, deadline);
      least = leastAdvanced(streams, order);
    }
    const certain = certainRows(streams, least?.reach, order);
    certain.sort((a, b) => comparePositions(a, b, order));
    if (certain.length <= limit) return { found: certain, next: least?.reach ?? null };
    const found = certain.slice(0, limit);
    return { found, next: found.at(-1) ?? null };
  }

  #fetch(query: ListQuery, { id }: Position): { item: Item; bytes: number } {
    const statement = this.#statements.get(fetchSql(query.kind));
    statement.bindText(1, id);
    try {
      statement.step();
      return readItem(query, id, statement);
    } finally {
      statement.reset();
    }
  }
}

/** Matches up to a place that every stream has looked past; all of them when none has rows left. */
function certainRows(
  streams: readonly Stream[],
  frontier: Position | undefined,
  order: ListQuery['order'],
): Position[] {
  const rows: Position[] = [];
  for (const { found } of streams) {
    for (const at of found) {
      if (frontier !== undefined && comparePositions(at, frontier, order) > 0) break;
      rows.push(at);
    }
  }
  return rows;
}

/** Of the streams that have rows left, the one that has looked the least far. */
function leastAdvanced(streams: readonly Stream[], order: ListQuery['order']): Stream | undefined {
  let least: Stream | undefined;
  for (const stream of streams) {
    if (stream.atEnd || stream.reach === undefined) continue;
    if (least?.reach === undefined || comparePositions(stream.reach, least.reach, order) < 0) {
      least = stream;
    }
  }
  return least;
}

/** Somebody else's NULL reads as empty or 0; a missing event_id stays null. */
function readItem(query: ListQuery, id: string, statement: Statement) {
  const item: Record<string, string | number | null> = { id };
  let bytes = id.length;
  query.kind.columns.forEach((column, i) => {
    if (column.type === 'number') {
      item[column.name] = statement.double(i);
    } else if (column.type === 'event_id' && statement.isNull(i)) {
      item[column.name] = null;
    } else {
      const text = statement.isNull(i) ? '' : statement.text(i);
      item[column.name] = text;
      bytes += Buffer.byteLength(text);
    }
  });
  return { item, bytes };
}
