/** Looks whether tables that are there can be used, or were made by another program. */

import { EVENT_ID_MAX } from '../../records/event-id.ts';
import { type Column, KINDS, type Kind } from '../../records/kinds.ts';
import { MAX_TIME } from '../../records/time.ts';
import { StoreError } from '../store-error.ts';
import { COLLATIONS, type Index, indexesOf } from './ddl.ts';
import type { Row, Session } from './session.ts';

/** What of a kind's table is missing. */
export interface TableState {
  readonly kind: Kind;
  readonly exists: boolean;
  readonly missingColumns: readonly Column[];
  readonly missingIndexes: readonly Index[];
}

interface FoundColumn {
  readonly type: string;
  readonly maxLength: number;
  readonly charset: string;
  readonly collation: string;
  readonly isNullable: boolean;
  readonly hasDefault: boolean;
  /** `auto_increment`, `STORED GENERATED`, ... */
  readonly extra: string;
}

interface FoundIndex {
  readonly isUnique: boolean;
  readonly parts: string[];
}

const TABLES = KINDS.map(({ table }) => `'${table}'`).join(', ');
const HERE = `table_schema = DATABASE() AND table_name IN (${TABLES})`;

const TABLES_SQL = `SELECT table_name, table_type, engine FROM information_schema.tables WHERE ${HERE}`;
const COLUMNS_SQL = `SELECT table_name, column_name, data_type, character_maximum_length,
    character_set_name, collation_name, is_nullable, column_default, extra
  FROM information_schema.columns WHERE ${HERE}`;
const INDEXES_SQL = `SELECT table_name, index_name, non_unique, column_name, sub_part
  FROM information_schema.statistics WHERE ${HERE} ORDER BY table_name, index_name, seq_in_index`;

/** Whether nothing is missing. */
export function isWhole({ exists, missingColumns, missingIndexes }: TableState): boolean {
  return exists && missingColumns.length + missingIndexes.length === 0;
}

/**
 * Looks into the catalogue. Columns beyond ours are welcome as long as a row can be inserted without
 * them.
 *
 * @param mayLack whether columns of ours may be missing
 * @throws {StoreError} when a table cannot be used, naming what is in the way
 */
export async function checkTables(session: Session, mayLack: boolean): Promise<TableState[]> {
  const tables = await session.execute(TABLES_SQL);
  const columns = await session.execute(COLUMNS_SQL);
  const indexes = await session.execute(INDEXES_SQL);
  return KINDS.map((kind) => {
    const found = tables.rows.find(([table]) => table === kind.table);
    if (found === undefined) return { kind, exists: false, missingColumns: [], missingIndexes: [] };
    if (found[1] !== 'BASE TABLE') throw foreign(kind, 'it is not a table');
    if (String(found[2]).toLowerCase() !== 'innodb') {
      throw foreign(kind, 'its engine is not InnoDB, which alone has transactions');
    }
    const of = ([table]: Row) => table === kind.table;
    const present = columnsOf(columns.rows.filter(of));
    checkColumns(kind, present, mayLack);
    const missingColumns = kind.columns.filter(({ name }) => !present.has(name));
    const missingIndexes = checkIndexes(kind, indexesFound(indexes.rows.filter(of)));
    return { kind, exists: true, missingColumns, missingIndexes };
  });
}

function columnsOf(rows: readonly Row[]): Map<string, FoundColumn> {
  return new Map(
    rows.map(([, name, type, length, charset, collation, nullable, defaultValue, extra]) => [
      String(name).toLowerCase(),
      {
        type: String(type).toLowerCase(),
        maxLength: Number(length ?? 0),
        charset: String(charset ?? ''),
        collation: String(collation ?? ''),
        isNullable: nullable === 'YES',
        hasDefault: defaultValue !== null && defaultValue !== undefined,
        extra: String(extra ?? '').toLowerCase(),
      },
    ]),
  );
}

function indexesFound(rows: readonly Row[]): Map<string, FoundIndex> {
  const indexes = new Map<string, FoundIndex>();
  for (const [, name, nonUnique, column, prefix] of rows) {
    const index = indexes.get(String(name)) ?? { isUnique: Number(nonUnique) === 0, parts: [] };
    const text = String(column).toLowerCase();
    index.parts.push(prefix === null || prefix === undefined ? text : `${text}(${prefix})`);
    indexes.set(String(name), index);
  }
  return indexes;
}

function checkColumns(kind: Kind, found: ReadonlyMap<string, FoundColumn>, mayLack: boolean): void {
  const id = found.get('id');
  if (id?.type !== 'bigint' || !id.extra.includes('auto_increment')) {
    throw foreign(kind, 'id is not a BIGINT AUTO_INCREMENT');
  }
  for (const column of kind.columns) {
    const there = found.get(column.name);
    if (there === undefined && mayLack) continue;
    if (there === undefined) throw foreign(kind, `it has no column ${column.name}`);
    const wrong = wrongColumn(column, there);
    if (wrong !== undefined) throw foreign(kind, `${column.name} ${wrong}`);
  }
  const ours = new Set(['id', ...kind.columns.map(({ name }) => name)]);
  for (const [name, { isNullable, hasDefault, extra }] of found) {
    if (ours.has(name) || isNullable || hasDefault || extra.includes('generated')) continue;
    throw foreign(kind, 'a column that is not ours is NOT NULL and has no default');
  }
}

function wrongColumn(column: Column, there: FoundColumn): string | undefined {
  if (there.extra.includes('generated')) return 'is generated';
  switch (column.type) {
    case 'number':
      return there.type === 'double' ? undefined : 'is not DOUBLE';
    case 'time':
    case 'event_id': {
      const length = column.type === 'time' ? MAX_TIME.length : EVENT_ID_MAX;
      const fits = there.type === 'varchar' && there.maxLength >= length;
      const isAscii = there.charset === 'ascii' && there.collation === 'ascii_bin';
      // Lists go on after the time of the last row, and would end at one without.
      if (fits && isAscii && column.type === 'time' && there.isNullable) return 'may be NULL';
      if (fits && isAscii) return undefined;
      return `is not VARCHAR(${length}) COLLATE ascii_bin`;
    }
    case 'text': {
      if (!there.type.endsWith('text') && there.type !== 'varchar') return 'is not a TEXT';
      if (there.maxLength < column.maxBytes) return `holds less than ${column.maxBytes} bytes`;
      const exact = (COLLATIONS as readonly string[]).includes(there.collation);
      if (!exact) return `does not compare by bytes: its collation is none of ${COLLATIONS}`;
      return undefined;
    }
  }
}

function checkIndexes(kind: Kind, found: ReadonlyMap<string, FoundIndex>): Index[] {
  const wanted = indexesOf(kind);
  const eventId = wanted.find(({ isUnique }) => isUnique);
  let hasEventId = false;
  for (const [name, { isUnique, parts }] of found) {
    if (!isUnique || name === 'PRIMARY') continue;
    // ON DUPLICATE KEY takes whatever a unique index refuses for a record that is stored already.
    if (parts.join() !== eventId?.parts.join()) {
      throw foreign(kind, 'it has a unique index on something else than event_id');
    }
    hasEventId = true;
  }
  if (found.get('PRIMARY')?.parts.join() !== 'id') throw foreign(kind, 'id is not its primary key');
  if (!hasEventId) throw foreign(kind, 'event_id has no unique index');
  return wanted.filter((index) => {
    if (index.isUnique) return false;
    const there = found.get(index.name);
    if (there === undefined) return true;
    if (there.parts.join() === index.parts.join()) return false;
    throw foreign(kind, `its index ${index.name} is not on (${index.parts.join(', ')})`);
  });
}

function foreign(kind: Kind, why: string): StoreError {
  return new StoreError(`the table ${kind.table} in this database cannot be used: ${why}`, {
    hint: 'convert it by the statements in docs/databases.md, rename it, or name another database',
  });
}
