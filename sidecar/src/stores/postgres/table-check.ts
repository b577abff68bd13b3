/** Whether a table that may be somebody else's can take the records. */

import { EVENT_ID_MAX } from '../../records/event-id.ts';
import type { Column } from '../../records/kinds.ts';
import { MAX_TIME } from '../../records/time.ts';
import { StoreError } from '../store-error.ts';
import type { FoundColumn, FoundTable } from './catalogue.ts';
import { createIndexSql, indexesOf, type Names } from './ddl.ts';

const TYPES: Readonly<Record<Column['type'], readonly string[]>> = {
  time: ['text', 'character varying'],
  text: ['text', 'character varying'],
  event_id: ['text', 'character varying'],
  number: ['double precision'],
};

/** Columns of the kind that the table lacks. */
export function missingColumns({ kind, columns }: FoundTable): Column[] {
  const present = new Set(columns.map(({ name }) => name));
  return kind.columns.filter(({ name }) => !present.has(name));
}

/**
 * Refuses a table whose rows would be lost, altered or listed in a wrong order. Columns beyond ours
 * are welcome as long as a row can be inserted without them.
 *
 * @param mayLack whether columns of ours may be missing
 * @throws {StoreError} naming what is in the way
 */
export function checkTable(table: FoundTable, mayLack: boolean): void {
  const { kind, relkind, unlogged, columns, indexes } = table;
  const refuse = (why: string): never => {
    throw new StoreError(`the table ${kind.table} in this database cannot be used: ${why}`, {
      hint: 'convert it as docs/databases.md says, rename it, or name another schema in search_path',
    });
  };
  if (relkind !== 'r' && relkind !== 'p') refuse('it is no table');
  if (unlogged) {
    refuse(
      'it or a partition of it is UNLOGGED, and so empty after a crash (ALTER TABLE ... SET LOGGED)',
    );
  }
  const id = columns.find(({ name }) => name === 'id');
  if (id === undefined || !/^(bigint|integer)$/.test(id.type)) refuse('it has no numeric id');
  else if (!id.hasDefault) refuse('its id has no sequence');
  for (const column of kind.columns) {
    const found = columns.find(({ name }) => name === column.name);
    if (found === undefined && mayLack) continue;
    const why = found === undefined ? `it has no column ${column.name}` : unfit(column, found);
    if (why !== undefined) refuse(why);
  }
  const known = new Set(['id', ...kind.columns.map(({ name }) => name)]);
  const demanding = columns.find(
    (column) =>
      !known.has(column.name) && column.notNull && !column.hasDefault && !column.generated,
  );
  if (demanding !== undefined) refuse('a column that is not ours is NOT NULL and has no default');
  const unique = indexes.filter((index) => index.unique && index.columns.join() === 'event_id');
  if (unique.length === 0) refuse('event_id has no unique index');
  // One is enough: ON CONFLICT looks at all of them.
  const late = unique.find(({ deferrable }) => deferrable);
  if (late !== undefined) refuse(`the unique constraint ${late.name} on event_id is DEFERRABLE`);
}

/**
 * Says which lists are slow for want of an index. None is built here: that takes minutes in a large
 * table, and whoever dropped it had a reason.
 */
export function missingIndexes(table: FoundTable, names: Names): string[] {
  return indexesOf(table.kind)
    .filter((index) => {
      const wanted = index.columns.join();
      return !table.indexes.some(({ columns }) => `${columns.join()},`.startsWith(`${wanted},`));
    })
    .map((index) => {
      const [column] = index.columns;
      const sql = createIndexSql(table.kind, index, names, 'CONCURRENTLY');
      return `${table.kind.table} has no index for lists by ${column}; they are slow: ${sql}`;
    });
}

function unfit(column: Column, found: FoundColumn): string | undefined {
  const { name } = column;
  if (!TYPES[column.type].includes(found.type)) return `its column ${name} is ${found.type}`;
  if (found.generated) return `its column ${name} is generated`;
  if (column.type === 'number') return undefined;
  const longest = maxBytes(column);
  if (found.maxLength !== null && found.maxLength < longest) {
    return `its column ${name} is character varying(${found.maxLength}), and a record may take ${longest}`;
  }
  if (!found.exact) return `its column ${name} takes different texts for equal`;
  if (column.type !== 'time') return undefined;
  if (!found.byBytes) return 'its column ts is not ordered by bytes';
  // Lists go on after the time of the last row, and would end at one without.
  if (!found.notNull) return 'its column ts may be NULL (ALTER COLUMN ts SET NOT NULL)';
  return undefined;
}

/** Bytes of the longest text that a record may have; it has no more characters than that. */
function maxBytes(column: Exclude<Column, { readonly type: 'number' }>): number {
  if (column.type === 'time') return MAX_TIME.length;
  return column.type === 'event_id' ? EVENT_ID_MAX : column.maxBytes;
}
