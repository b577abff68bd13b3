import type { Column, Kind } from '../../../records/kinds.ts';
import type { Connection } from '../engine/connection.ts';
import { DatabaseError } from './database-error.ts';
import { indexesOf } from './ddl.ts';
import { readRows } from './read-rows.ts';

/** What a table of ours looks like in a file that somebody else may have made. */
export interface TableState {
  readonly exists: boolean;
  /** Columns of the kind that the table lacks and that can be added. */
  readonly missing: readonly Column[];
}

/**
 * Looks whether the table of a kind can be used. Columns beyond ours are welcome as long as a row
 * can be inserted without them.
 *
 * @throws DatabaseError when it cannot, naming what is in the way
 */
export function checkTable(connection: Connection, kind: Kind): TableState {
  const [found] = readRows(
    connection,
    "SELECT type, wr FROM pragma_table_list(?) WHERE schema = 'main'",
    2,
    [kind.table],
  );
  if (found === undefined) return { exists: false, missing: kind.columns };
  const [type, withoutRowid] = found;
  if (type !== 'table') throw incompatible(kind, `it is a ${type}`);
  if (withoutRowid === '1') throw incompatible(kind, 'it is a WITHOUT ROWID table');

  const present = new Set<string>();
  let hasKey = false;
  const ours = new Set(['id', ...kind.columns.map((column) => column.name)]);
  const texts = new Set(
    kind.columns.filter(({ type }) => type !== 'number').map(({ name }) => name),
  );
  for (const row of readRows(
    connection,
    'SELECT lower(name), lower(type), "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?)',
    6,
    [kind.table],
  )) {
    const [name = null, columnType, notNull, defaultValue, key, hidden] = row;
    if (name === null) continue;
    present.add(name);
    if (name === 'id') hasKey = columnType === 'integer' && key === '1';
    else if (key !== '0') throw incompatible(kind, `its primary key is not id alone`);
    else if (ours.has(name) && hidden !== '0') {
      throw incompatible(kind, `its column ${name} is generated`);
    } else if (texts.has(name) && makesNumbers(columnType ?? '')) {
      throw incompatible(kind, `its column ${name} is ${columnType}, which makes numbers of texts`);
    } else if (!ours.has(name) && notNull === '1' && defaultValue === null && hidden === '0') {
      throw incompatible(kind, 'a column that is not ours is NOT NULL and has no default');
    }
  }
  // INTEGER PRIMARY KEY DESC has an index of its own, and ids that are NULL.
  const keyIndexes = "SELECT 1 FROM pragma_index_list(?) WHERE origin = 'pk'";
  if (!hasKey || readRows(connection, keyIndexes, 1, [kind.table]).length > 0) {
    throw incompatible(kind, 'id is not its INTEGER PRIMARY KEY');
  }
  if (!present.has('ts')) throw incompatible(kind, 'it has no column ts');
  return { exists: true, missing: kind.columns.filter((column) => !present.has(column.name)) };
}

/**
 * Checks that texts which differ are different ones to our indexes: a column may have a collation of its own,
 * and an event_id would then pass for stored that is not.
 *
 * @throws DatabaseError naming the column
 */
export function checkCollations(connection: Connection, kind: Kind): void {
  const sql = "SELECT name FROM pragma_index_xinfo(?) WHERE key = 1 AND coll <> 'BINARY'";
  for (const index of indexesOf(kind)) {
    const [column] = readRows(connection, sql, 1, [index.name]);
    if (column === undefined) continue;
    throw incompatible(kind, `its column ${column[0]} takes different texts for equal (COLLATE)`);
  }
}

/** By the rules of https://sqlite.org/datatype3.html#determination_of_column_affinity. */
function makesNumbers(type: string): boolean {
  return type.includes('int') || !/char|clob|text|blob|^$/.test(type);
}

function incompatible(kind: Kind, why: string): DatabaseError {
  return new DatabaseError(`${kind.table} in this file cannot be used: ${why}`, {
    hint: 'rename it there, or name another file in STORAGE_SQLITE_PATH',
  });
}
