/**
 * Tables and indexes in Postgres' dialect, derived from the kinds. The tables are plain: other
 * programs read them.
 */

import type { Column, Kind } from '../../records/kinds.ts';
import { META_TABLE } from '../server/migrations.ts';

/** By bytes, whatever the language of the database: lists and their cursors rest on it. */
const TEXT = 'TEXT COLLATE "C"';

const TYPES: Readonly<Record<Column['type'], string>> = {
  time: `${TEXT} NOT NULL`,
  text: TEXT,
  number: 'DOUBLE PRECISION',
  event_id: TEXT,
};

export interface Index {
  readonly columns: readonly string[];
  readonly unique: boolean;
}

/** Names of tables in the schema of the DSN, or where the server's search_path finds them. */
export class Names {
  readonly #schema: string | undefined;

  constructor(schema: string | undefined) {
    this.#schema = schema;
  }

  /** A table's name as SQL wants it. */
  table(name: string): string {
    return this.#schema === undefined ? name : `${quoteName(this.#schema)}.${name}`;
  }

  get meta(): string {
    return this.table(META_TABLE);
  }
}

/** A name between double quotes. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function createTableSql(kind: Kind, names: Names): string {
  const columns = kind.columns.map((column) => `  ${column.name} ${TYPES[column.type]}`);
  const id = '  id BIGSERIAL PRIMARY KEY';
  return `CREATE TABLE ${names.table(kind.table)} (\n${[id, ...columns].join(',\n')}\n)`;
}

/** Adds a column that a table of an older version lacks; no row is rewritten for it. */
export function addColumnSql(kind: Kind, column: Column, names: Names): string {
  return `ALTER TABLE ${names.table(kind.table)} ADD COLUMN ${column.name} ${TYPES[column.type]}`;
}

export function createMetaSql(names: Names): string {
  return `CREATE TABLE ${names.meta} (\n  key ${TEXT} PRIMARY KEY,\n  value TEXT\n)`;
}

/** An index entry holds at most 2,704 bytes: long texts are in none. */
export function indexesOf(kind: Kind): Index[] {
  const indexes: Index[] = [];
  for (const column of kind.columns) {
    if (column.type === 'time') indexes.push({ columns: ['ts', 'id'], unique: false });
    else if (column.type === 'event_id') indexes.push({ columns: ['event_id'], unique: true });
    else if (column.type === 'text' && column.indexed) {
      indexes.push({ columns: [column.name, 'ts', 'id'], unique: false });
    }
  }
  return indexes;
}

/**
 * Leaves the name to the server, as it does for keys and sequences: ours could be taken by an index
 * of the table that was here before, and was renamed.
 *
 * @param how `CONCURRENTLY` for a table that is in use; not within a transaction
 */
export function createIndexSql(
  kind: Kind,
  { columns, unique }: Index,
  names: Names,
  how: 'CONCURRENTLY' | '' = '',
): string {
  const what = [unique ? 'UNIQUE INDEX' : 'INDEX', how].filter(Boolean).join(' ');
  return `CREATE ${what} ON ${names.table(kind.table)} (${columns.join(', ')})`;
}
