/**
 * Brings a database to the schema of this build, while others may be about to do the same. DDL
 * commits by itself here, so the row that serialises it is locked by a second connection.
 */

import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
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
import {
  addColumnSql,
  addIndexSql,
  COLLATIONS,
  type Collation,
  CREATE_META_SQL,
  createTableSql,
} from './ddl.ts';
import { errorNumber } from './errors.ts';
import type { Session } from './session.ts';
import { checkTables, isWhole, type TableState } from './table-check.ts';

/** An index on a large table takes its time. */
const DDL_MS = 3_600_000;
/** Seconds to wait for the row that another sidecar has locked; then the recorder tries again. */
const LOCK_SECONDS = 60;
const LOCK_MS = (LOCK_SECONDS + 10) * 1_000;
/** The advisory lock only keeps others from waiting on the row: not worth more. */
const POLLS = 50;
const POLL_MS = 200;

/** Somebody else was faster: table, column or index exist. */
const EXISTS: ReadonlySet<number> = new Set([1050, 1060, 1061]);

/** No right to the table, to the database, or of the server's. */
const REFUSED: ReadonlySet<number> = new Set([1142, 1044, 1227]);

export const STEPS: readonly Step<Session>[] = [{ version: 1, minWriter: 1 }];

export interface SchemaOptions {
  /** Of this build. */
  readonly version: string;
  readonly steps?: readonly Step<Session>[];
}

/** What a migration did, for the log. */
export interface Migrated {
  readonly from: number;
  readonly to: number;
}

/** What `migrate` leaves behind. */
export interface Schema {
  /** Undefined when there was nothing to do, or nothing that this user may do. */
  readonly migrated?: Migrated;
  /** What is missing and can be done without. */
  readonly warnings: readonly string[];
}

interface Completed {
  /** Whether a table, a column or an index was made. */
  readonly changed: boolean;
  readonly warnings: readonly string[];
}

/**
 * Runs the steps that are due and makes what is missing. Where nothing is, it reads alone, so that a
 * user without the right to change tables can be given the work. An index for lists that such a user
 * finds missing is warned of: records are worth more than the speed of lists.
 *
 * @param another connects once more, to the same server
 * @throws the driver's error, or a StoreError when the database cannot be used
 */
export async function migrate(
  session: Session,
  another: () => Promise<Session>,
  { version, steps = STEPS }: SchemaOptions,
): Promise<Schema> {
  const before = await look(session, steps);
  if (!before.isDue) return { warnings: [] };
  const locker = await another();
  try {
    await lockVersion(session, locker);
    const { meta, isDue, tables } = await look(session, steps);
    if (!isDue) return { warnings: [] };
    const { changed, warnings } = await completeTables(session, tables);
    const due = dueSteps(meta, steps);
    for (const step of due) await step.run?.(session);
    if (!changed && due.length === 0) return { warnings };
    await checkTables(session, false);
    const after = metaAfter(meta, steps, version);
    for (const [key, value] of metaRows(after)) await writeMeta(locker, key, value);
    await locker.run('COMMIT');
    return { migrated: { from: meta.schemaVersion, to: after.schemaVersion }, warnings };
  } finally {
    await locker.end();
  }
}

/** @throws {StoreError} for a database that this build must not write */
async function look(session: Session, steps: readonly Step<Session>[]) {
  const meta: Meta = await metaOf(session);
  refuseOldWriter(meta, steps);
  const tables = await checkTables(session, mayLackColumns(meta, steps));
  return { meta, tables, isDue: !tables.every(isWhole) || dueSteps(meta, steps).length > 0 };
}

async function metaOf(session: Session): Promise<Meta> {
  const table = await session.execute(
    `SELECT column_name FROM information_schema.columns
      WHERE table_schema = DATABASE() AND table_name = '${META_TABLE}'`,
  );
  if (table.rows.length === 0) return NEVER_MIGRATED;
  const names = new Set(table.rows.map(([name]) => String(name).toLowerCase()));
  if (!names.has('key') || !names.has('value')) {
    throw new StoreError(`the table ${META_TABLE} in this database lacks key or value`, {
      hint: 'name another database in the DSN, or rename that table',
    });
  }
  const { rows } = await session.execute(`SELECT \`key\`, value FROM ${META_TABLE}`);
  return readMeta(
    rows.map(([key, value]) => [String(key), value == null ? null : String(value)] as const),
  );
}

async function lockVersion(session: Session, locker: Session): Promise<void> {
  await advise(locker);
  if ((await locker.execute(META_EXISTS_SQL)).rows.length === 0) {
    await change(session, CREATE_META_SQL);
  }
  await session.execute(
    `INSERT INTO ${META_TABLE} (\`key\`, value) VALUES (?, ?) ON DUPLICATE KEY UPDATE value = value`,
    [LOCKED_KEY, '0'],
  );
  // It is silent while the other one builds an index.
  await locker.run(
    `SET SESSION innodb_lock_wait_timeout = ${LOCK_SECONDS}, SESSION wait_timeout = ${DDL_MS / 1_000}`,
  );
  const ends = await locker.run("SHOW VARIABLES LIKE 'idle_transaction_timeout'");
  if (ends.rows.length > 0) await locker.run('SET SESSION idle_transaction_timeout = 0');
  await locker.run('START TRANSACTION');
  await locker.execute(
    `SELECT value FROM ${META_TABLE} WHERE \`key\` = ? FOR UPDATE`,
    [LOCKED_KEY],
    LOCK_MS,
  );
}

const META_EXISTS_SQL = `SELECT 1 FROM information_schema.tables
  WHERE table_schema = DATABASE() AND table_name = '${META_TABLE}'`;

/** GET_LOCK is for the whole server, so the database is in its name, of 64 characters at most. */
async function advise(locker: Session): Promise<void> {
  const hash = createHash('sha256').update(locker.dsn.database).digest('hex').slice(0, 40);
  try {
    for (let poll = 0; poll < POLLS; poll++) {
      const { rows } = await locker.execute('SELECT GET_LOCK(?, 0)', [`agenttier:${hash}`]);
      if (Number(rows[0]?.[0]) === 1) return;
      await sleep(POLL_MS);
    }
  } catch (error) {
    // Not every engine has it, and the row serialises without it.
    if (errorNumber(error) === undefined) throw error;
  }
}

async function completeTables(session: Session, tables: readonly TableState[]): Promise<Completed> {
  const warnings: string[] = [];
  if (tables.every(isWhole)) return { changed: false, warnings };
  const collation = await chooseCollation(session);
  let changed = false;
  for (const { kind, exists, missingColumns, missingIndexes } of tables) {
    const statements = exists
      ? missingColumns.map((column) => addColumnSql(kind, column, collation))
      : [createTableSql(kind, collation)];
    for (const sql of statements) {
      await change(session, sql);
      changed = true;
    }
    for (const index of missingIndexes) {
      const sql = addIndexSql(kind, index);
      if (await isRefused(change(session, sql))) {
        warnings.push(
          `the index ${index.name} is missing, and this user may not make it: lists are slow ` +
            `without it; ${sql}`,
        );
      } else {
        changed = true;
      }
    }
  }
  return { changed, warnings };
}

/** Whether it failed for want of a right. */
async function isRefused(work: Promise<void>): Promise<boolean> {
  try {
    await work;
    return false;
  } catch (error) {
    if (REFUSED.has(errorNumber(error) ?? 0)) return true;
    throw error;
  }
}

async function change(session: Session, sql: string): Promise<void> {
  try {
    await session.run(sql, DDL_MS);
  } catch (error) {
    if (!EXISTS.has(errorNumber(error) ?? 0)) throw error;
  }
}

async function writeMeta(session: Session, key: string, value: string): Promise<void> {
  await session.execute(
    `INSERT INTO ${META_TABLE} (\`key\`, value) VALUES (?, ?) ON DUPLICATE KEY UPDATE value = ?`,
    [key, value, value],
  );
}

/** @throws {StoreError} when the server has no collation that compares by bytes */
async function chooseCollation(session: Session): Promise<Collation> {
  const names = COLLATIONS.map((name) => `'${name}'`).join(', ');
  const { rows } = await session.execute(
    `SELECT collation_name FROM information_schema.collations WHERE collation_name IN (${names})`,
  );
  const found = new Set(rows.map(([name]) => name));
  const chosen = COLLATIONS.find((name) => found.has(name));
  if (chosen !== undefined) return chosen;
  throw new StoreError(`the server has no collation of ${COLLATIONS.join(' or ')}`, {
    hint: 'use MySQL 8 or later, or MariaDB 10.6 or later: others ignore trailing blanks',
  });
}
