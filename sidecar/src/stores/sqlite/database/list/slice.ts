/**
 * One bounded step of a list. Reads share the connection with the commits, so a list is read in
 * slices of a few milliseconds, and commits go between them.
 */

import {
  type Item,
  type ListQuery,
  PAGE_BYTES,
  type Page,
  type Position,
} from '../../../../records/list.ts';
import type { Connection, Statement } from '../../engine/connection.ts';
import { comparePositions, startOf } from './order.ts';
import { fetchSql, planList } from './plan.ts';
import { Search } from './search.ts';
import { Searches } from './searches.ts';
import { StatementCache } from './statement-cache.ts';

/** Part of the time in which rows are looked for; in the rest they are read. */
const SEARCH_SHARE = 0.75;
const CACHED_STATEMENTS = 32;

/** A page of what could be read in the time: go on from `next` with what is left of the limit. */
export interface Slice extends Page {
  /** Bytes of the items' texts. */
  readonly bytes: number;
}

export interface SliceBounds {
  /**
   * How long the slice may take, in milliseconds. It goes over by one row that it looks for and one
   * that it reads, which lies on some twenty pages where its texts are long.
   */
  readonly budgetMs: number;
  /** About so many bytes of texts are answered at most, and one row at least; by default a page's. */
  readonly maxBytes?: number;
}

export class SliceReader {
  readonly #statements: StatementCache;
  readonly #searches = new Searches();

  constructor(connection: Connection) {
    this.#statements = new StatementCache(connection, CACHED_STATEMENTS);
  }

  /** Throws what the connection throws; leaves no statement on a row. */
  read(asked: ListQuery, bounds: SliceBounds): Slice {
    const start = performance.now();
    const query = fromStart(asked);
    const search = this.#searchFor(query);
    const { found, next } = search.advance(query.limit, start + bounds.budgetMs * SEARCH_SHARE);
    const slice = this.#readRows(query, found, next, bounds, start);
    if (slice.next !== null) {
      search.goOnFrom(slice.next);
      const rest = fromStart({ ...query, after: slice.next });
      if (search.isWorthKeeping) this.#searches.keep(rest, search);
    }
    return slice;
  }

  /** Reads the rows that were found, as far as time and bytes allow, and one at least. */
  #readRows(
    query: ListQuery,
    found: readonly Position[],
    next: Position | null,
    bounds: SliceBounds,
    start: number,
  ): Slice {
    const items: Item[] = [];
    const maxBytes = bounds.maxBytes ?? PAGE_BYTES;
    const deadline = Math.max(
      start + bounds.budgetMs,
      performance.now() + bounds.budgetMs * (1 - SEARCH_SHARE),
    );
    let bytes = 0;
    let last: Position | undefined;
    for (const position of found) {
      // At each row: its pages may not be in the cache.
      if (last !== undefined && (bytes >= maxBytes || performance.now() >= deadline)) {
        return { items, next: last, bytes };
      }
      const row = this.#fetch(query, position);
      last = position;
      if (row === undefined) continue;
      items.push(row.item);
      bytes += row.bytes;
    }
    return { items, next, bytes };
  }

  /** The search that the last slice of this list left, or a new one. */
  #searchFor(query: ListQuery): Search {
    const kept = this.#searches.take(query);
    return kept?.catchUp() === true ? kept : new Search(planList(query), this.#statements);
  }

  /** @returns undefined for a row that is gone: another program's trigger may have deleted it */
  #fetch(query: ListQuery, { id }: Position): { item: Item; bytes: number } | undefined {
    const statement = this.#statements.get(fetchSql(query.kind));
    statement.bindText(1, id);
    try {
      return statement.step() ? readItem(query, id, statement) : undefined;
    } finally {
      statement.reset();
    }
  }
}

/** A list that did not get to a row before is one from its start. */
function fromStart(query: ListQuery): ListQuery {
  const { after, ...rest } = query;
  if (after === undefined) return query;
  return comparePositions(after, startOf(query.order), query.order) === 0 ? rest : query;
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
