/**
 * Tables, indexes and statements in MySQL's dialect, derived from the kinds. The tables are plain:
 * other programs read them.
 */

import { EVENT_ID_MAX } from '../../records/event-id.ts';
import type { Column, Kind } from '../../records/kinds.ts';
import { MAX_TIME } from '../../records/time.ts';
import { META_TABLE } from '../server/migrations.ts';

/**
 * Collations that compare texts by their bytes, trailing blanks included, in the order of
 * preference: MySQL's and MariaDB's. `utf8mb4_bin` ignores trailing blanks.
 */
export const COLLATIONS = ['utf8mb4_0900_bin', 'utf8mb4_nopad_bin'] as const;

export type Collation = (typeof COLLATIONS)[number];

/** Characters of an indexed text that its index holds: an entry may have 3,072 bytes. */
const INDEXED_CHARS = 191;

const ASCII = 'CHARACTER SET ascii COLLATE ascii_bin';

/** What TEXT holds; longer ones would be cut off at their last byte by a character. */
const TEXT_BYTES = 65_535;

function typeSql(column: Column, collation: Collation): string {
  switch (column.type) {
    case 'time':
      return `VARCHAR(${MAX_TIME.length}) ${ASCII} NOT NULL`;
    case 'event_id':
      return `VARCHAR(${EVENT_ID_MAX}) ${ASCII} NULL`;
    case 'number':
      return 'DOUBLE NULL';
    case 'text': {
      const type = column.maxBytes < TEXT_BYTES ? 'TEXT' : 'MEDIUMTEXT';
      return `${type} CHARACTER SET utf8mb4 COLLATE ${collation} NULL`;
    }
  }
}

export interface Index {
  readonly name: string;
  readonly isUnique: boolean;
  /** Columns, with the characters of a prefix: `actor(191)`. */
  readonly parts: readonly string[];
}

/** The index that lists use when they are driven by a column; `ts` alone has one too. */
export function indexName(kind: Kind, column: string): string {
  return `${kind.table}_by_${column}`;
}

export function indexesOf(kind: Kind): Index[] {
  const indexes: Index[] = [];
  for (const column of kind.columns) {
    const name = indexName(kind, column.name);
    if (column.type === 'time') {
      indexes.push({ name, isUnique: false, parts: ['ts', 'id'] });
    } else if (column.type === 'event_id') {
      indexes.push({ name, isUnique: true, parts: ['event_id'] });
    } else if (column.type === 'text' && column.indexed) {
      const parts = [`${column.name}(${INDEXED_CHARS})`, 'ts', 'id'];
      indexes.push({ name, isUnique: false, parts });
    }
  }
  return indexes;
}

/** The table of a kind with all its indexes. InnoDB never hands out the id of a deleted row again. */
export function createTableSql(kind: Kind, collation: Collation): string {
  const lines = [
    'id BIGINT NOT NULL AUTO_INCREMENT',
    ...kind.columns.map((column) => `${column.name} ${typeSql(column, collation)}`),
    'PRIMARY KEY (id)',
    ...indexesOf(kind).map((index) => indexSql(index)),
  ];
  return (
    `CREATE TABLE ${kind.table} (\n  ${lines.join(',\n  ')}\n)` +
    ' ENGINE = InnoDB ROW_FORMAT = DYNAMIC'
  );
}

/** Adds a column that a table of an older version lacks; from MySQL 8 and MariaDB 10.3 on no row is touched. */
export function addColumnSql(kind: Kind, column: Column, collation: Collation): string {
  return `ALTER TABLE ${kind.table} ADD ${column.name} ${typeSql(column, collation)}`;
}

export function addIndexSql(kind: Kind, index: Index): string {
  return `ALTER TABLE ${kind.table} ADD ${indexSql(index)}`;
}

function indexSql({ name, isUnique, parts }: Index): string {
  return `${isUnique ? 'UNIQUE ' : ''}KEY ${name} (${parts.join(', ')})`;
}

export const CREATE_META_SQL =
  `CREATE TABLE IF NOT EXISTS ${META_TABLE} (\n` +
  `  \`key\` VARCHAR(64) ${ASCII} NOT NULL PRIMARY KEY,\n` +
  '  value VARCHAR(255) CHARACTER SET utf8mb4 NULL\n) ENGINE = InnoDB';

/**
 * Inserts rows, parameters row by row in the order of the columns; changes nothing for a duplicate.
 * INSERT IGNORE would do so too, and cut texts that are too long without a word.
 */
export function insertSql(kind: Kind, rows: number): string {
  const names = kind.columns.map((column) => column.name).join(', ');
  const marks = `(${kind.columns.map(() => '?').join(', ')})`;
  const values = new Array<string>(rows).fill(marks).join(', ');
  return `INSERT INTO ${kind.table} (${names}) VALUES ${values} ON DUPLICATE KEY UPDATE id = id`;
}

/** Which of some event ids are stored already. */
export function knownIdsSql(kind: Kind, ids: number): string {
  const marks = new Array<string>(ids).fill('?').join(', ');
  return `SELECT event_id FROM ${kind.table} WHERE event_id IN (${marks})`;
}

/**
 * The event id that is stored, as it is there: where somebody has altered the column, others may pass
 * for equal. A locking read sees the row that an INSERT has just met, whatever the transaction's
 * snapshot holds; that INSERT has locked it already.
 */
export function storedSql(kind: Kind): string {
  return `SELECT event_id FROM ${kind.table} WHERE event_id = ? FOR UPDATE`;
}
