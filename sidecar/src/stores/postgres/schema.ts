/**
 * Brings a database to the schema of this build, once however many sidecars start together.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { KINDS, type Kind } from '../../records/kinds.ts';
import {
  dueSteps,
  LOCKED_KEY,
  META_TABLE,
  type Meta,
  mayLackColumns,
  metaAfter,
  metaRows,
  NEVER_MIGRATED,
  readMeta,
  refuseOldWriter,
  type Step,
} from '../server/migrations.ts';
import { StoreError } from '../store-error.ts';
import { type FoundTable, readTables } from './catalogue.ts';
import {
  addColumnSql,
  createIndexSql,
  createMetaSql,
  createTableSql,
  indexesOf,
  type Names,
} from './ddl.ts';
import { postgresError } from './errors.ts';
import type { Session } from './session.ts';
import { checkTable, missingColumns, missingIndexes } from './table-check.ts';

/** What a step works on. */
export interface StepContext {
  readonly session: Session;
  readonly names: Names;
}

/** New tables are empty and take milliseconds; a lock that somebody holds may take longer. */
const SCHEMA_MS = 60_000;

export const STEPS: readonly Step<StepContext>[] = [{ version: 1, minWriter: 1 }];

export interface SchemaOptions {
  /** Of this build. */
  readonly version: string;
  readonly steps?: readonly Step<StepContext>[];
}

export interface Prepared {
  /** Versions before and after, if anything was done. */
  readonly migrated?: { readonly from: number; readonly to: number };
  readonly warnings: readonly string[];
}

/**
 * Makes what is missing in one transaction, or does nothing: killed at any moment, the next start
 * begins from the same state. Looks first without any lock, so that a role without the right to
 * create can use what is there.
 *
 * @throws {StoreError} with the reason
 */
export async function prepareSchema(
  session: Session,
  names: Names,
  { version, steps = STEPS }: SchemaOptions,
): Promise<Prepared> {
  try {
    const { meta, found } = await look(session, names, steps);
    if (isComplete(meta, found, steps)) return { warnings: warnings(found, names) };
  } catch (error) {
    throw postgresError('look at the tables', error);
  }
  try {
    return await migrate(session, names, steps, version);
  } catch (error) {
    session.destroy();
    throw postgresError('create the tables', error, {
      grant:
        "let the sidecar's role create them (GRANT CREATE ON SCHEMA ... TO ...), or create them with another role's DSN first",
    });
  }
}

/**
 * Looks whether tables that were found sound are so still. Of one that is gone a write tells.
 *
 * @throws {StoreError} a transient one: no record is to blame for what was altered
 */
export async function lookAgain(session: Session, names: Names, timeoutMs: number): Promise<void> {
  try {
    const found = await readTables(session, names, timeoutMs);
    for (const table of found.values()) checkTable(table, false);
  } catch (error) {
    throw postgresError('look at the tables', error);
  }
}

/**
 * Where the node of a sidecar that migrates is lost, nothing ends its connection for hours, and its
 * locks would keep all others down: the server ends a transaction that is silent for so long.
 */
const SILENT_MS = 60_000;

/** Polling leaves the connection free to notice its end, and others' CONCURRENTLY to go on. */
const LOCK_POLL_MS = 100;
/** One for all databases: it is theirs alone. */
const LOCK = 'SELECT pg_try_advisory_xact_lock(7002653041946227315)';

async function migrate(
  session: Session,
  names: Names,
  steps: readonly Step<StepContext>[],
  version: string,
): Promise<Prepared> {
  const run = (sql: string, values: readonly string[] = []) =>
    session.query(sql, values, SCHEMA_MS);
  // Each statement must see what others have committed meanwhile.
  await run('BEGIN ISOLATION LEVEL READ COMMITTED');
  await run(`SET LOCAL idle_in_transaction_session_timeout = ${SILENT_MS}`);
  await takeTurn(session);
  if (!(await exists(session, names))) await run(createMetaSql(names));
  const insert = `INSERT INTO ${names.meta} (key, value) VALUES ($1, $2)`;
  await run(`${insert} ON CONFLICT (key) DO NOTHING`, [LOCKED_KEY, '0']);
  // The lock that counts; the advisory one only keeps others from failing.
  await run(`SELECT value FROM ${names.meta} WHERE key = $1 FOR UPDATE`, [LOCKED_KEY]);
  const { meta, found } = await look(session, names, steps);
  if (isComplete(meta, found, steps)) {
    await run('COMMIT');
    return { warnings: warnings(found, names) };
  }
  for (const kind of KINDS) {
    for (const sql of missingSql(kind, found.get(kind), names)) await run(sql);
  }
  for (const step of dueSteps(meta, steps)) await step.run?.({ session, names });
  const made = await readTables(session, names, SCHEMA_MS);
  for (const table of made.values()) checkTable(table, false);
  const after = metaAfter(meta, steps, version);
  for (const row of metaRows(after)) {
    await run(`${insert} ON CONFLICT (key) DO UPDATE SET value = excluded.value`, row);
  }
  await run('COMMIT');
  const migrated = { from: meta.schemaVersion, to: after.schemaVersion };
  return { migrated, warnings: warnings(made, names) };
}

/** A new table gets its indexes; in one that is there they take too long, see missingIndexes. */
function missingSql(kind: Kind, found: FoundTable | undefined, names: Names): string[] {
  if (found === undefined) {
    const indexes = indexesOf(kind).map((index) => createIndexSql(kind, index, names));
    return [createTableSql(kind, names), ...indexes];
  }
  return missingColumns(found).map((column) => addColumnSql(kind, column, names));
}

async function takeTurn(session: Session): Promise<void> {
  const deadline = performance.now() + SCHEMA_MS;
  for (;;) {
    const [[got] = []] = await session.query(LOCK, [], SCHEMA_MS);
    if (got === 't') return;
    if (performance.now() > deadline) {
      throw new StoreError('another sidecar has been changing the schema for a minute');
    }
    await sleep(LOCK_POLL_MS);
  }
}

/** @throws {StoreError} where this build must not write */
async function look(session: Session, names: Names, steps: readonly Step<StepContext>[]) {
  const meta = await loadMeta(session, names);
  refuseOldWriter(meta, steps);
  const found = await readTables(session, names, SCHEMA_MS);
  const mayLack = mayLackColumns(meta, steps);
  for (const table of found.values()) checkTable(table, mayLack);
  return { meta, found };
}

async function loadMeta(session: Session, names: Names): Promise<Meta> {
  if (!(await exists(session, names))) return NEVER_MIGRATED;
  try {
    const rows = await session.query(`SELECT key, value FROM ${names.meta}`, [], SCHEMA_MS);
    return readMeta(rows.map(([key, value]) => [key ?? '', value ?? null] as const));
  } catch (error) {
    throw postgresError(`read ${META_TABLE}`, error, {
      grant: `GRANT SELECT ON ${META_TABLE} to the sidecar's role`,
    });
  }
}

/**
 * Naming a catalogue in FROM makes the server take in what others have committed: to_regclass alone
 * answers from the connection's cache, which may still hold that there was no such table.
 */
const EXISTS = 'SELECT 1 FROM pg_class WHERE oid = to_regclass($1)';

async function exists(session: Session, names: Names): Promise<boolean> {
  return (await session.query(EXISTS, [names.meta], SCHEMA_MS)).length > 0;
}

function isComplete(
  meta: Meta,
  found: ReadonlyMap<Kind, FoundTable>,
  steps: readonly Step<StepContext>[],
): boolean {
  return dueSteps(meta, steps).length === 0 && found.size === KINDS.length;
}

function warnings(found: ReadonlyMap<Kind, FoundTable>, names: Names): string[] {
  return [...found.values()].flatMap((table) => missingIndexes(table, names));
}
