/**
 * What the server's catalogue says about the tables; every role may read it. Columns that it has had
 * only since a version after 12 are read by way of to_jsonb, which leaves out what is not there.
 */

import { KINDS, type Kind } from '../../records/kinds.ts';
import type { Names } from './ddl.ts';
import type { IndexName } from './errors.ts';
import type { Session } from './session.ts';

export interface FoundColumn {
  readonly name: string;
  /** As format_type spells it, without a length, and without the quotes of quote_all_identifiers. */
  readonly type: string;
  /** Most characters that it holds; null where it sets no limit of its own. */
  readonly maxLength: number | null;
  readonly notNull: boolean;
  readonly hasDefault: boolean;
  readonly generated: boolean;
  /** Whether texts are ordered by their bytes. */
  readonly byBytes: boolean;
  /** Whether texts that differ are told apart. */
  readonly exact: boolean;
}

export interface FoundIndex {
  readonly name: string;
  readonly unique: boolean;
  /** Whether it may be checked as late as at the commit, which ON CONFLICT does not go with. */
  readonly deferrable: boolean;
  /** Names of its keys; an expression's is empty. */
  readonly columns: readonly string[];
}

export interface FoundTable {
  readonly kind: Kind;
  /** `r`, or `p` for a partitioned one; others are no tables. */
  readonly relkind: string;
  /** Whether it, or a partition of it, is left out of the WAL: it is empty after a crash. */
  readonly unlogged: boolean;
  readonly columns: readonly FoundColumn[];
  /** Those that are valid and hold every row. */
  readonly indexes: readonly FoundIndex[];
}

/** A varchar's modifier is its length and four (varchartypmodin in src/backend/utils/adt). */
const COLUMNS = `
SELECT t.n, c.relkind,
  c.relpersistence <> 'p' OR c.relkind = 'p' AND EXISTS (
    SELECT FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhrelid
    WHERE i.inhparent = c.oid AND p.relpersistence <> 'p'),
  a.attname, replace(format_type(a.atttypid, NULL), '"', ''),
  CASE WHEN a.atttypid = 'varchar'::regtype AND a.atttypmod >= 4 THEN a.atttypmod - 4 END,
  a.attnotnull,
  a.atthasdef OR a.attidentity <> '', a.attgenerated <> '',
  k.collname IN ('C', 'POSIX')
    OR k.collname = 'default' AND d.datcollate IN ('C', 'POSIX')
      AND coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') = 'c',
  coalesce(k.collisdeterministic, true)
FROM unnest($1::text[]) WITH ORDINALITY t(name, n)
JOIN pg_class c ON c.oid = to_regclass(t.name)
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_database d ON d.datname = current_database()
LEFT JOIN pg_collation k ON k.oid = a.attcollation
ORDER BY t.n, a.attnum`;

const INDEXES = `
SELECT t.n, c.relname, i.indisunique, NOT i.indimmediate, a.attname
FROM unnest($1::text[]) WITH ORDINALITY t(name, n)
JOIN pg_index i ON i.indrelid = to_regclass(t.name)
JOIN pg_class c ON c.oid = i.indexrelid
CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY k(attnum, position)
LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND k.attnum > 0
WHERE i.indisvalid AND i.indpred IS NULL AND k.position <= i.indnkeyatts
ORDER BY t.n, c.relname, k.position`;

/** A generated column is made of what the record holds. */
const OF_RECORDS = `
SELECT 1 FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_namespace s ON s.oid = c.relnamespace
WHERE s.nspname = $1 AND c.relname = $2 AND i.indisunique AND NOT i.indisprimary AND NOT EXISTS (
  SELECT FROM unnest(i.indkey) WITH ORDINALITY k(attnum, position)
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
  WHERE k.position <= i.indnkeyatts AND a.attname::text <> ALL($3::text[])
    AND (a.attname = 'id' OR a.attidentity <> '' OR a.atthasdef AND a.attgenerated = ''))`;

/**
 * Whether a unique index, by whatever name, is known to hold values of records alone. It is not where
 * it is a primary key or holds what the database gives a row itself, which the next attempt gets anew.
 */
export async function isOfRecords(
  session: Session,
  { schema, name }: IndexName,
  timeoutMs: number,
): Promise<boolean> {
  const columns = KINDS.flatMap((kind) => kind.columns.map((column) => column.name));
  const found = await session.query(OF_RECORDS, [schema, name, columns], timeoutMs);
  return found.length > 0;
}

/** Looks at the tables of the kinds; those that are not there are left out. */
export async function readTables(
  session: Session,
  names: Names,
  timeoutMs: number,
): Promise<ReadonlyMap<Kind, FoundTable>> {
  const asked = [KINDS.map((kind) => names.table(kind.table))];
  const columns = await session.query(COLUMNS, asked, timeoutMs);
  const keys = await session.query(INDEXES, asked, timeoutMs);
  const found = new Map<Kind, FoundTable>();
  KINDS.forEach((kind, i) => {
    const own = columns.filter(([n]) => n === String(i + 1));
    if (own.length === 0) return;
    const ownKeys = keys.filter(([n]) => n === String(i + 1));
    const [, relkind, unlogged] = own[0] ?? [];
    found.set(kind, {
      kind,
      relkind: relkind ?? '',
      unlogged: unlogged === 't',
      columns: own.map(readColumn),
      indexes: readIndexes(ownKeys),
    });
  });
  return found;
}

type Row = readonly (string | null)[];

function readColumn([, , , name, type, length, ...flags]: Row): FoundColumn {
  const [notNull, hasDefault, generated, byBytes, exact] = flags.map((flag) => flag === 't') as [
    ...[boolean, boolean, boolean, boolean, boolean],
  ];
  return {
    name: name ?? '',
    type: type ?? '',
    maxLength: length == null ? null : Number(length),
    ...{ notNull, hasDefault, generated, byBytes, exact },
  };
}

function readIndexes(rows: readonly Row[]): FoundIndex[] {
  const byName = new Map<string, FoundIndex & { readonly columns: string[] }>();
  for (const [, text, unique, deferrable, column] of rows) {
    const name = text ?? '';
    const flags = { unique: unique === 't', deferrable: deferrable === 't' };
    const index = byName.get(name) ?? { name, ...flags, columns: [] };
    index.columns.push(column ?? '');
    byName.set(name, index);
  }
  return [...byName.values()];
}
