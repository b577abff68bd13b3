/**
 * How a list is read: by one index, in the order of the answer, never by a sort. Each value of the
 * driving column is a branch of a UNION ALL, which the server merges; the other filters are looked
 * at row by row.
 */

import type { Column, Kind } from '../../../records/kinds.ts';
import { drivingColumn, type ListQuery, PAGE_BYTES } from '../../../records/list.ts';
import type { Names } from '../ddl.ts';
import type { Parameter } from '../session.ts';

/** A statement with its values. */
export interface Statement {
  readonly sql: string;
  readonly values: readonly Parameter[];
}

/** Whether rows are looked at one by one, so that a page may take many of them. */
export function isScanned(query: ListQuery): boolean {
  return residuals(query).length > 0;
}

/**
 * Reads up to so many rows that all match. Columns: id, those of the kind, then how many rows there
 * were before long texts cut the page short.
 */
export function pageStatement(query: ListQuery, names: Names, limit: number): Statement {
  const values = new Values();
  const order = orderBy(query);
  const columns = selected(query.kind).join(', ');
  const rows = ordered(query, names, values, columns, String(limit));
  const weight = weightOf(query.kind);
  return {
    sql: `SELECT id::text AS key, ${columnsOf(query.kind).join(', ')}, n FROM (
  SELECT *, count(*) OVER () AS n, sum(${weight}) OVER (${order} ROWS UNBOUNDED PRECEDING) - ${weight} AS before
  FROM (${rows}) r) s WHERE before < ${PAGE_BYTES} ${order}`,
    values: values.list,
  };
}

/**
 * Looks at up to so many rows, and reads those that match, up to a limit of rows and about so many
 * bytes of long texts, but one row at least. Columns: rows looked at, ts and id of the last of them,
 * how many match, then id (null where none matched), those of the kind, and bytes up to this row.
 */
export function sliceStatement(
  query: ListQuery,
  names: Names,
  limit: number,
  rows: number,
  bytes: number,
): Statement {
  const values = new Values();
  const { kind } = query;
  const hit = residuals(query)
    .map(
      ({ column, wanted }) => `coalesce(${column.name}, '') = ANY(${values.add(wanted)}::text[])`,
    )
    .join(' AND ');
  const scan = ordered(query, names, values, `id, ts, ${hit} AS hit`, String(rows));
  const weight = weightOf(kind);
  const order = orderBy(query);
  const columns = selected(kind).map((name) => `t.${name}`);
  const [, ...answered] = columns;
  return {
    sql: `WITH s AS MATERIALIZED (${scan}),
f AS MATERIALIZED (SELECT id, ts FROM s WHERE hit ${order} LIMIT ${limit}),
r AS (SELECT ${columns.join(', ')}, ${weight} AS weight, sum(${weight}) OVER (${orderBy(query, 't.')} ROWS UNBOUNDED PRECEDING) AS upto
  FROM f JOIN ${names.table(kind.table)} t ON t.id = f.id),
p AS (SELECT * FROM r WHERE upto - weight < ${bytes})
SELECT c.n, e.ts, e.id::text, (SELECT count(*) FROM f), t.id::text, ${answered.join(', ')}, t.upto
FROM (SELECT count(*) AS n FROM s) c
LEFT JOIN (SELECT ts, id FROM s ${orderBy(query, '', true)} LIMIT 1) e ON true
LEFT JOIN p t ON true ${orderBy(query, 't.')}`,
    values: values.list,
  };
}

class Values {
  readonly list: Parameter[] = [];
  add(value: Parameter): string {
    this.list.push(value);
    return `$${this.list.length}`;
  }
}

/** Rows of all branches in the order of the answer, up to a limit. */
function ordered(
  query: ListQuery,
  names: Names,
  values: Values,
  columns: string,
  limit: string,
): string {
  const range = rangeTests(query, values);
  const order = orderBy(query);
  const branch = (test: string | undefined) => {
    const where = [test, ...range].filter((part) => part !== undefined).join(' AND ');
    const from = `SELECT ${columns} FROM ${names.table(query.kind.table)}`;
    return `${from}${where === '' ? '' : ` WHERE ${where}`} ${order} LIMIT ${limit}`;
  };
  const tests = branchTests(query, values);
  if (tests.length === 0) return branch(undefined);
  if (tests.length === 1) return branch(tests[0]);
  const union = tests.map((test) => `(${branch(test)})`).join(' UNION ALL ');
  return `SELECT * FROM (${union}) u ${order} LIMIT ${limit}`;
}

function branchTests(query: ListQuery, values: Values): string[] {
  const driver = drivingColumn(query);
  if (driver === undefined) return [];
  const wanted = [...new Set(query.filters.get(driver.name))];
  // Each is there once at most, so there is little to sort.
  if (driver.type === 'event_id') return [`event_id = ANY(${values.add(wanted)}::text[])`];
  const tests = wanted.map((value) => `${driver.name} = ${values.add(value)}`);
  // A NULL that somebody else wrote reads as empty, so it is found as empty.
  if (wanted.includes('')) tests.push(`${driver.name} IS NULL`);
  return tests;
}

function rangeTests({ since, until, after, order }: ListQuery, values: Values): string[] {
  const tests: string[] = [];
  if (since !== undefined) tests.push(`ts >= ${values.add(since)}`);
  if (until !== undefined) tests.push(`ts < ${values.add(until)}`);
  if (after !== undefined) {
    const place = `(${values.add(withoutNul(after.ts))}, ${values.add(after.id)}::bigint)`;
    tests.push(`(ts, id) ${order === 'asc' ? '>' : '<'} ${place}`);
  }
  return tests;
}

/**
 * A time that Postgres takes: its texts have no NUL. A caller may have changed a cursor, or kept it from
 * SQLite, whose texts may. The next character has the same place among texts without it.
 */
function withoutNul(ts: string): string {
  return ts.replaceAll('\0', '\x01');
}

function residuals(query: ListQuery): { column: Column; wanted: readonly string[] }[] {
  const driver = drivingColumn(query);
  return query.kind.columns.flatMap((column) => {
    const wanted = query.filters.get(column.name);
    return wanted === undefined || column === driver ? [] : [{ column, wanted }];
  });
}

function orderBy({ order }: ListQuery, prefix = '', reversed = false): string {
  const down = (order === 'desc') !== reversed ? ' DESC' : '';
  return `ORDER BY ${prefix}ts${down}, ${prefix}id${down}`;
}

function columnsOf(kind: Kind): string[] {
  return kind.columns.map(({ name }) => name);
}

function selected(kind: Kind): string[] {
  return ['id', ...columnsOf(kind)];
}

/** About the bytes of a row, by its long texts; reading a length does not read the text. */
function weightOf(kind: Kind): string {
  const long = kind.columns.filter((column) => column.type === 'text' && !column.filter);
  const lengths = long.map(({ name }) => `coalesce(octet_length(${name}), 0)`);
  return `(${[...lengths, '200'].join(' + ')})`;
}
