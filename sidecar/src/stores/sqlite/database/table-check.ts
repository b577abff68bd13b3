import type { Column, Kind } from '../../../records/kinds.ts';
import type { Connection } from '../engine/connection.ts';
import { DatabaseError } from './database-error.ts';
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
    } else if (!ours.has(name) && notNull === '1' && defaultValue === null && hidden === '0') {
      throw incompatible(kind, 'a column that is not ours is NOT NULL and has no default');
    }
  }
  if (!hasKey) throw incompatible(kind, 'id is not its INTEGER PRIMARY KEY');
  if (!present.has('ts')) throw incompatible(kind, 'it has no column ts');
  return { exists: true, missing: kind.columns.filter((column) => !present.has(column.name)) };
}

function incompatible(kind: Kind, why: string): DatabaseError {
  return new DatabaseError(`${kind.table} in this file cannot be used: ${why}`, {
    hint: 'rename it there, or name another file in STORAGE_SQLITE_PATH',
  });
}
