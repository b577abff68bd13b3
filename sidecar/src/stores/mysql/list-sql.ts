/**
 * How a list is read: by one index, in the order of the answer, never by a sort of all matches. A
 * filter on an indexed column gives one ordered branch for each of its values; the other filters are
 * looked at row by row. Statements name their index, so that no statistics can change the way; the
 * server refuses a name that is not there, and other ways remain.
 */

import { isEventId } from '../../records/event-id.ts';
import type { Column, Kind } from '../../records/kinds.ts';
import { drivingColumn, type ListQuery, type Position } from '../../records/list.ts';
import { indexName } from './ddl.ts';
import type { Value } from './session.ts';

export interface Statement {
  readonly sql: string;
  readonly values: readonly Value[];
}

export interface Plan {
  readonly query: ListQuery;
  /** Whether rows must be looked at that may not match: then {@link upTo} bounds the work. */
  readonly scans: boolean;
  /** How many ordered branches there are; without one no row can match. */
  readonly branches: number;
  /**
   * Positions of matching rows, in order.
   *
   * @param after where to go on
   * @param frontier the last row to look at
   */
  matches(limit: number, after: Position | undefined, frontier: Position | undefined): Statement;
  /** In each branch the row that stands so many rows further, whether it matches or not. */
  upTo(rows: number, after: Position | undefined): Statement;
}

/**
 * Ways to read a list, in the order of preference:
 *
 * - `column`: by the index of a filtered column, or by that of the times where none is filtered
 * - `time`: by the index of the times, all filters looked at row by row
 * - `any`: like `column`, by what index the server likes
 */
export const WAYS = ['column', 'time', 'any'] as const;

export type Way = (typeof WAYS)[number];

/** A condition and its values. */
type Condition = Statement;

/** An id is compared as the 64-bit integer that it is; as a text it would become a double. */
const ID = 'CAST(? AS SIGNED)';

export function planList(query: ListQuery, way: Way = 'column'): Plan {
  const { kind } = query;
  const driver = way === 'time' ? undefined : drivingColumn(query);
  const branches = branchesOf(query, driver);
  const residual = residualFilters(query, driver);
  // Whoever made the unique index may have named it.
  const isFree = way === 'any' || driver?.type === 'event_id';
  const hint = isFree ? '' : ` FORCE INDEX (${indexName(kind, driver?.name ?? 'ts')})`;
  const direction = query.order === 'asc' ? 'ASC' : 'DESC';
  const order = `ORDER BY ts ${direction}, id ${direction}`;

  const union = (conditions: readonly (readonly Condition[])[], limit: string): Statement => {
    const parts = conditions.map((all) => {
      const where = all.length === 0 ? '' : ` WHERE ${all.map(({ sql }) => sql).join(' AND ')}`;
      return `SELECT id, ts FROM ${kind.table}${hint}${where} ${order} ${limit}`;
    });
    const values = conditions.flat().flatMap((condition) => condition.values);
    if (parts.length === 1) return { sql: parts[0] ?? '', values };
    return { sql: parts.map((part) => `(${part})`).join(' UNION ALL '), values };
  };

  return {
    query,
    scans: residual.length > 0,
    branches: branches.length,
    matches(limit, after, frontier) {
      const range = rangeOf(query, after, frontier);
      const all = branches.map((branch) => [...branch, ...range, ...residual]);
      const { sql, values } = union(all, `LIMIT ${integer(limit)}`);
      if (all.length === 1) return { sql, values };
      return { sql: `${sql} ${order} LIMIT ${integer(limit)}`, values };
    },
    upTo(rows, after) {
      const range = rangeOf(query, after, undefined);
      const all = branches.map((branch) => [...branch, ...range]);
      return union(all, `LIMIT 1 OFFSET ${integer(rows - 1)}`);
    },
  };
}

/** Reads rows by their ids. */
export function fetchSql(kind: Kind, ids: number): string {
  const names = kind.columns.map((column) => column.name).join(', ');
  const marks = new Array<string>(ids).fill(ID).join(', ');
  return `SELECT id, ${names} FROM ${kind.table} WHERE id IN (${marks})`;
}

/** What tells each branch; without a driver there is one, which nothing tells. */
function branchesOf(query: ListQuery, driver: Column | undefined): Condition[][] {
  if (driver === undefined) return [[]];
  const { name } = driver;
  const wanted = [...new Set(query.filters.get(name))];
  if (driver.type === 'event_id') {
    // Each is there once at most, so these few may be sorted. Other texts cannot be compared.
    const ids = wanted.filter(isEventId);
    if (ids.length === 0) return [];
    return [[{ sql: `${name} IN (${ids.map(() => '?').join(', ')})`, values: ids }]];
  }
  const branches: Condition[][] = wanted.map((value) => [{ sql: `${name} = ?`, values: [value] }]);
  // A NULL that somebody else wrote reads as empty, so it is found as empty.
  if (wanted.includes('')) branches.push([{ sql: `${name} IS NULL`, values: [] }]);
  return branches;
}

function residualFilters(query: ListQuery, driver: Column | undefined): Condition[] {
  const filters: Condition[] = [];
  for (const column of query.kind.columns) {
    const wanted = query.filters.get(column.name);
    if (wanted === undefined || column === driver) continue;
    const values = [...new Set(wanted)];
    const marks = values.map(() => '?').join(', ');
    filters.push({ sql: `coalesce(${column.name}, '') IN (${marks})`, values });
  }
  return filters;
}

/** MariaDB reads all rows for a row value, (ts, id) < (?, ?); so the place is said in two parts. */
function rangeOf(
  { order, since, until }: ListQuery,
  after: Position | undefined,
  frontier: Position | undefined,
): Condition[] {
  const [beyond, within] = order === 'asc' ? ['>', '<'] : ['<', '>'];
  const range: Condition[] = [];
  if (since !== undefined) range.push({ sql: 'ts >= ?', values: [since] });
  if (until !== undefined) range.push({ sql: 'ts < ?', values: [until] });
  if (after !== undefined) {
    const { id } = after;
    const ts = comparable(after.ts);
    const sql = `ts ${beyond}= ? AND (ts ${beyond} ? OR id ${beyond} ${ID})`;
    range.push({ sql, values: [ts, ts, id] });
  }
  if (frontier !== undefined) {
    const { ts, id } = frontier;
    const sql = `ts ${within}= ? AND (ts ${within} ? OR id ${within}= ${ID})`;
    range.push({ sql, values: [ts, ts, id] });
  }
  return range;
}

/**
 * A time that the column's character set, ASCII, can be compared with; the server refuses any other. A
 * caller may have changed a cursor, or kept it from another store. Its first character beyond ASCII
 * sorts after all that the column holds, as the last one of ASCII does.
 */
function comparable(ts: string): string {
  return ts.replace(/[^\0-\x7f].*$/s, '\x7f');
}

/** MySQL refuses a bound double after LIMIT, so the number stands in the text. */
function integer(value: number): string {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError('not a row count');
  return String(value);
}
