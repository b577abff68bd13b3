/**
 * Tables, indexes and INSERT in SQLite's dialect, derived from the kinds. The tables are plain:
 * other programs read them.
 */

import type { Column, Kind } from '../../../records/kinds.ts';

const TYPES: Readonly<Record<Column['type'], string>> = {
  time: 'TEXT NOT NULL',
  text: 'TEXT',
  number: 'REAL',
  event_id: 'TEXT',
};

export interface Index {
  readonly name: string;
  /** The statement that makes it, as sqlite_schema keeps it. */
  readonly sql: string;
}

/**
 * The table of a kind, for a new file. AUTOINCREMENT never hands out the id of a deleted row
 * again, so that a cursor stays exact while rows are pruned.
 */
export function createTableSql(kind: Kind): string {
  const columns = kind.columns.map((column) => `  ${column.name} ${TYPES[column.type]}`);
  const id = '  id INTEGER PRIMARY KEY AUTOINCREMENT';
  return `CREATE TABLE ${kind.table} (\n${[id, ...columns].join(',\n')}\n)`;
}

/** Adds a column that a file of an older version lacks. */
export function addColumnSql(kind: Kind, column: Column): string {
  return `ALTER TABLE ${kind.table} ADD COLUMN ${column.name} ${TYPES[column.type]}`;
}

/** The index that lists use when they are driven by a column; `ts` alone has one too. */
export function indexName(kind: Kind, column: string): string {
  return `${kind.table}_by_${column}`;
}

/**
 * The indexes of a kind. SQLite appends the rowid to each, so the order within is (ts, id) without
 * saying so.
 */
export function indexesOf(kind: Kind): Index[] {
  const indexes: Index[] = [];
  for (const column of kind.columns) {
    const name = indexName(kind, column.name);
    if (column.type === 'time') {
      indexes.push({ name, sql: `CREATE INDEX ${name} ON ${kind.table} (ts)` });
    } else if (column.type === 'event_id') {
      indexes.push({ name, sql: `CREATE UNIQUE INDEX ${name} ON ${kind.table} (event_id)` });
    } else if (column.type === 'text' && column.indexed) {
      const sql = `CREATE INDEX ${name} ON ${kind.table} (${column.name}, ts)`;
      indexes.push({ name, sql });
    }
  }
  return indexes;
}

/** Inserts one row, parameters in the order of the columns; changes nothing for a duplicate. */
export function insertSql(kind: Kind): string {
  const names = kind.columns.map((column) => column.name).join(', ');
  const marks = kind.columns.map(() => '?').join(', ');
  return `INSERT INTO ${kind.table} (${names}) VALUES (${marks}) ON CONFLICT(event_id) DO NOTHING`;
}

/** Answers a row where an event_id is stored. */
export function lookUpSql(kind: Kind): string {
  return `SELECT 1 FROM ${kind.table} WHERE event_id = ?`;
}

export const META_TABLE = 'agenttier_meta';

export const CREATE_META_SQL = `CREATE TABLE ${META_TABLE} (\n  key TEXT PRIMARY KEY,\n  value TEXT\n)`;
