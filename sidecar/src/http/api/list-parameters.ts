import type { Kind } from '../../records/kinds.ts';
import type { ListQuery, Order } from '../../records/list.ts';
import type { Problem } from '../problem.ts';
import { type Asked, type Cursor, decodeCursor } from './cursor.ts';
import { DEFAULT_PAGE_ITEMS, MAX_FILTER_VALUES, MAX_PAGE_ITEMS } from './limits.ts';
import { parseMoment } from './moment.ts';
import type { QueryParameters } from './query-string.ts';

/** A list as it was asked for, and as the store is asked. */
export interface List {
  readonly asked: Asked;
  readonly query: ListQuery;
}

/** The parameters that every list has besides its filters. */
const COMMON = ['since', 'until', 'order', 'limit', 'cursor'] as const;

/** The columns a kind's list can be filtered by. */
export function filterNames(kind: Kind): string[] {
  return kind.columns
    .filter((column) => column.type === 'event_id' || (column.type === 'text' && column.filter))
    .map((column) => column.name);
}

/**
 * Reads a list's parameters; the problem names the one that is wrong.
 *
 * @param now milliseconds since the epoch, for durations
 */
export function listOf(kind: Kind, parameters: QueryParameters, now: number): List | Problem {
  const filterable = filterNames(kind);
  const filters = new Map<string, readonly string[]>();
  let filterValues = 0;
  for (const [name, values] of parameters) {
    if (filterable.includes(name)) {
      const distinct = [...new Set(values)];
      filters.set(name, distinct);
      filterValues += distinct.length;
    } else if (!(COMMON as readonly string[]).includes(name)) {
      return unknown(name, [...filterable, ...COMMON]);
    } else if (values.length > 1) {
      return bad(`${name} is given more than once`);
    }
  }
  if (filterValues > MAX_FILTER_VALUES) {
    return bad(
      `the filters have more than ${MAX_FILTER_VALUES} values in all; ask in several lists`,
    );
  }

  const one = (name: (typeof COMMON)[number]) => parameters.get(name)?.[0];
  const limit = Number(one('limit') ?? DEFAULT_PAGE_ITEMS);
  if (!/^\d{1,9}$/.test(one('limit') ?? '1') || limit < 1 || limit > MAX_PAGE_ITEMS) {
    return bad(`limit must be a whole number from 1 to ${MAX_PAGE_ITEMS}`);
  }
  const order = one('order') ?? 'desc';
  if (order !== 'asc' && order !== 'desc') return bad('order must be asc or desc');
  const asked = { kind, filters, order, since: one('since'), until: one('until') } as const;

  const cursor = one('cursor');
  if (cursor === undefined) return firstPage(asked, limit, now);
  const place = decodeCursor(asked, cursor);
  if (place === undefined) return bad('cursor is not one that this API gave out');
  if (place === 'foreign') return bad('cursor belongs to other filters, times or order than these');
  return nextPage(asked, place, limit);
}

function firstPage(asked: Asked, limit: number, now: number): List | Problem {
  const since = moment(asked.since, now);
  const until = moment(asked.until, now);
  if (since === null) return bad(`since ${MOMENT}`);
  if (until === null) return bad(`until ${MOMENT}`);
  if (since !== undefined && until !== undefined && since > until) {
    return bad('since must not be after until');
  }
  return { asked, query: { ...base(asked, limit), ...range(since, until) } };
}

function nextPage(asked: Asked, { after, since, until }: Cursor, limit: number): List {
  return { asked, query: { ...base(asked, limit), ...range(since, until), after } };
}

function base({ kind, filters, order }: Asked, limit: number) {
  return { kind, filters, order: order satisfies Order, limit };
}

function range(since: string | undefined, until: string | undefined) {
  return { ...(since !== undefined && { since }), ...(until !== undefined && { until }) };
}

const MOMENT =
  'must be an RFC 3339 time or a duration back from now, such as 24h, 30d or 1h30m (units: s, m, h, d, w)';

/** @returns null when it cannot be read */
function moment(text: string | undefined, now: number): string | undefined | null {
  return text === undefined ? undefined : (parseMoment(text, now) ?? null);
}

function bad(detail: string): Problem {
  return { status: 400, detail };
}

function unknown(name: string, known: readonly string[]): Problem {
  const named = /^[A-Za-z0-9_.-]{1,64}$/.test(name) ? ` ${name}` : '';
  return bad(`unknown query parameter${named}; known are ${known.join(', ')}`);
}
