/**
 * How a list is read: by one index, in the order of the answer, never by a sort. A filter on an
 * indexed column gives one ordered stream of rows for each of its values; the other filters are
 * looked at row by row. Statements name their index, so that statistics which somebody's ANALYZE
 * left in the file cannot change the way.
 */

import type { Column, Kind } from '../../../../records/kinds.ts';
import { drivingColumn, type ListQuery } from '../../../../records/list.ts';
import { indexName } from '../ddl.ts';

export interface Plan {
  readonly query: ListQuery;
  /** The value of the driving column in each stream; null reads the rows where it is NULL. */
  readonly streams: readonly (string | null)[];
  /** Whether the streams are told apart by a value; without one there is a single stream. */
  readonly driven: boolean;
  /** Bound first in every scan: the values of the filters that are looked at row by row. */
  readonly residualValues: readonly string[];
  /** The highest id there is. */
  readonly highestIdSql: string;
  /** Rows beyond an id, with the value of the driving column; asks for the residual values and it. */
  readonly arrivedSql: string;
  /** Rows after a position that share its ts; asks for value, ts, id. */
  readonly tieSql: string;
  /** Rows from (`>=`) or beyond (`>`) a time, up to another one; asks for value and the times. */
  rangeSql(from: '>=' | '>', bounded: boolean): string;
}

/**
 * Upper bound that every text is below and every blob is not: a blob for a time has no place in
 * the order of texts.
 */
const AFTER_ALL_TEXTS = "x''";

export function planList(query: ListQuery): Plan {
  const { kind } = query;
  const driver = drivingColumn(query);
  const streams = driver === undefined ? [null] : streamValues(driver, query);
  const residual = residualFilters(query, driver);
  const columns = `${residual.sql}, CAST(id AS TEXT), ts`;
  const scan = `SELECT ${columns} FROM ${kind.table}
    INDEXED BY ${indexName(kind, driver?.name ?? 'ts')} WHERE ${driverSql(driver)}`;
  const forward = query.order === 'asc';
  const order = forward ? 'ORDER BY ts, id' : 'ORDER BY ts DESC, id DESC';
  return {
    query,
    streams,
    driven: driver !== undefined,
    residualValues: residual.values,
    highestIdSql: `SELECT CAST(max(id) AS TEXT) FROM ${kind.table}`,
    arrivedSql: `SELECT ${columns}, ${driver?.name ?? 'NULL'} FROM ${kind.table} NOT INDEXED
      WHERE id > CAST(? AS INTEGER) ORDER BY id`,
    tieSql: `${scan} ts = ? AND id ${forward ? '>' : '<'} CAST(? AS INTEGER) ${order}`,
    rangeSql(from, bounded) {
      return `${scan} ts ${from} ? AND ts < ${bounded ? '?' : AFTER_ALL_TEXTS} ${order}`;
    },
  };
}

/** Reads the columns of a kind, in the order of its table, for one id. */
export function fetchSql(kind: Kind): string {
  const names = kind.columns.map((column) => column.name).join(', ');
  return `SELECT ${names} FROM ${kind.table} WHERE id = CAST(? AS INTEGER)`;
}

function driverSql(driver: Column | undefined): string {
  if (driver === undefined) return '';
  // IS finds NULL too, but hides from SQLite that an event_id is there once.
  return driver.type === 'event_id' ? 'event_id = ? AND' : `${driver.name} IS ? AND`;
}

function streamValues(driver: Column, query: ListQuery): (string | null)[] {
  const values = new Set<string | null>(query.filters.get(driver.name));
  // A NULL that somebody else wrote reads as empty, so it is found as empty.
  if (driver.type === 'text' && values.has('')) values.add(null);
  return [...values];
}

function residualFilters(query: ListQuery, driver: Column | undefined) {
  const tests: string[] = [];
  const values: string[] = [];
  for (const column of query.kind.columns) {
    const wanted = query.filters.get(column.name);
    if (wanted === undefined || column === driver) continue;
    const distinct = [...new Set(wanted)];
    tests.push(`coalesce(${column.name}, '') IN (${distinct.map(() => '?').join(', ')})`);
    values.push(...distinct);
  }
  return { sql: tests.length === 0 ? '1' : tests.join(' AND '), values };
}
