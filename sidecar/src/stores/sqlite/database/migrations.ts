/**
 * Brings a file to the schema of this build. Migrations are numbered and only add, so an older
 * sidecar can go on writing a file that a newer one has migrated.
 */

import { KINDS, type Kind } from '../../../records/kinds.ts';
import { type Connection, SqliteError } from '../engine/connection.ts';
import { rewriteTimes } from './adoption.ts';
import { DatabaseError } from './database-error.ts';
import { addColumnSql, createTableSql, indexesOf } from './ddl.ts';
import { lateRowsAfter, noteAdopted } from './late-rows.ts';
import { type Meta, readMeta, writeMeta } from './meta.ts';
import { readValue } from './read-rows.ts';
import { SQLITE_CONSTRAINT, SQLITE_ERROR } from './result-codes.ts';
import { checkCollations, checkTable, type TableState } from './table-check.ts';

interface Migration {
  readonly version: number;
  /** Oldest schema version whose sidecar may still write the file after this migration. */
  readonly minWriter: number;
  /** Changes data; tables, columns and indexes are made by {@link migrate} itself. */
  run?(connection: Connection, found: ReadonlyMap<string, TableState>): Partial<Migrated>;
}

/** What a migration did, for the log. */
export interface Migrated {
  /** Versions of the schema. */
  readonly from: number;
  readonly to: number;
  /** Rows whose time was brought into the stored form. */
  readonly timesRewritten: number;
  /** Rows whose time is none, and stays as it is. */
  readonly timesUnreadable: number;
}

const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    minWriter: 1,
    run: (connection, found) =>
      rewriteAll(
        connection,
        KINDS.filter((kind) => found.get(kind.table)?.exists === true).map((kind) => [kind]),
      ),
  },
];

const LATEST = MIGRATIONS.at(-1) as Migration;

/**
 * Refuses a file that this build must not write, before anything is written.
 *
 * @throws DatabaseError naming the version that wrote it
 */
export function checkWriter(meta: Meta): void {
  if (meta.minWriterVersion <= LATEST.version) return;
  throw new DatabaseError(
    `this file was written by version ${meta.writtenBy ?? 'unknown'} of the sidecar and asks for ` +
      `schema ${meta.minWriterVersion} or newer; this one knows schema ${LATEST.version}`,
    { hint: `run version ${meta.writtenBy ?? 'that wrote it'} or newer` },
  );
}

/**
 * Makes what is missing in one transaction, or does nothing: killed at any moment, the next start
 * begins from the same state.
 *
 * @param sidecarVersion goes into the file as its last writer
 * @returns what was done, or undefined when the file was up to date
 */
export function migrate(connection: Connection, sidecarVersion: string): Migrated | undefined {
  const meta = readMeta(connection);
  checkWriter(meta);
  const pending = MIGRATIONS.filter((migration) => migration.version > meta.schemaVersion);
  const found = new Map(KINDS.map((kind) => [kind.table, checkTable(connection, kind)]));
  const statements = KINDS.flatMap((kind) => {
    const state = found.get(kind.table);
    if (state?.exists !== true) return [createTableSql(kind)];
    return state.missing.map((column) => addColumnSql(kind, column));
  });
  const indexes = missingIndexes(connection);
  const isWhole = pending.length + statements.length + indexes.length === 0;
  // Where something is missing, the next opening looks.
  const late = isWhole ? lateRows(connection) : [];
  const upToDate = isWhole && late.length === 0;
  if (upToDate && meta.writtenBy === sidecarVersion) return undefined;

  let done: Partial<Migrated> = {};
  connection.exec('BEGIN IMMEDIATE');
  for (const sql of statements) change(connection, sql);
  for (const migration of pending) done = { ...done, ...migration.run?.(connection, found) };
  // After the rows are rewritten: an index is built faster than it is kept up to date.
  for (const sql of indexes) change(connection, sql);
  for (const kind of KINDS) checkCollations(connection, kind);
  if (late.length > 0) done = rewriteAll(connection, late);
  writeMeta(connection, {
    schemaVersion: Math.max(meta.schemaVersion, LATEST.version),
    minWriterVersion: Math.max(meta.minWriterVersion, LATEST.minWriter),
    writtenBy: sidecarVersion,
  });
  if (pending.length + late.length > 0) for (const kind of KINDS) noteAdopted(connection, kind);
  connection.exec('COMMIT');
  if (upToDate) return undefined;
  const to = Math.max(meta.schemaVersion, LATEST.version);
  return { from: meta.schemaVersion, to, timesRewritten: 0, timesUnreadable: 0, ...done };
}

/** A table whose times are to be brought into the stored form, and the id after which. */
type Rewriting = readonly [kind: Kind, afterId?: string];

function lateRows(connection: Connection): Rewriting[] {
  return KINDS.flatMap((kind): Rewriting[] => {
    const after = lateRowsAfter(connection, kind);
    return after === undefined ? [] : [[kind, after]];
  });
}

function rewriteAll(connection: Connection, tables: readonly Rewriting[]): Partial<Migrated> {
  let timesRewritten = 0;
  let timesUnreadable = 0;
  for (const [kind, afterId] of tables) {
    const times = rewriteTimes(connection, kind, afterId);
    timesRewritten += times.rewritten;
    timesUnreadable += times.unreadable;
  }
  return { timesRewritten, timesUnreadable };
}

/**
 * SQLite's message names tables, columns and triggers; a value of a row stands in none of those that
 * making tables, columns and indexes can meet.
 *
 * @throws DatabaseError that names the statement when somebody else's schema or rows refuse it
 */
function change(connection: Connection, sql: string): void {
  try {
    connection.exec(sql);
  } catch (error) {
    const refused =
      error instanceof SqliteError &&
      (error.code === SQLITE_ERROR || error.code === SQLITE_CONSTRAINT);
    if (!refused) throw error;
    const statement = sql.replaceAll(/\s+/g, ' ');
    throw new DatabaseError(`this file does not admit: ${statement}: ${error.message}`, {
      cause: error,
      hint: 'it was changed by another program: undo that, or name another file in STORAGE_SQLITE_PATH',
    });
  }
}

/** An index holds no data: one of our name that differs from ours is made anew. */
function missingIndexes(connection: Connection): string[] {
  const statements: string[] = [];
  for (const { name, sql } of KINDS.flatMap(indexesOf)) {
    const found = readValue(
      connection,
      "SELECT coalesce(sql, '') FROM sqlite_schema WHERE type = 'index' AND name = ?",
      name,
    );
    if (found === sql) continue;
    if (found !== null) statements.push(`DROP INDEX ${name}`);
    statements.push(sql);
  }
  return statements;
}
