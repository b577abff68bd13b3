import { KINDS } from '../../../records/kinds.ts';
import type { Connection } from '../engine/connection.ts';
import { openConnection } from '../engine/engine.ts';
import type { FileLayer } from '../files/file-layer.ts';
import { unreadableCommits } from './damaged-wal.ts';
import { DatabaseError } from './database-error.ts';
import { indexesOf } from './ddl.ts';
import { clearForeignShm, refuseForeignWriter } from './foreign-sqlite.ts';
import { fullCheck } from './full-check.ts';
import { type Meta, readMeta } from './meta.ts';
import { closeQuietly } from './opening.ts';
import { sizeOf } from './quarantine.ts';
import { readValue } from './read-rows.ts';
import { databaseError } from './result-codes.ts';
import { Seal } from './seal.ts';
import { checkTable } from './table-check.ts';

export interface VerifyReport {
  /** What is wrong; empty when the file is in order. */
  readonly problems: readonly string[];
  readonly bytes: number;
  /** Bytes of a WAL that an unclean end left: they were taken into account. */
  readonly walBytes: number;
  /** What the file says about itself; null when that cannot be read. */
  readonly meta: Meta | null;
  /** Rows by table, of the tables that can be read. */
  readonly rows: Readonly<Record<string, number>>;
}

export interface VerifyOptions {
  readonly path: string;
  readonly files: FileLayer;
  readonly cacheBytes: number;
}

/**
 * Checks a closed database in full: every page, table and index. Changes nothing but that a WAL
 * left by an unclean end is moved into the file, as the next start would do.
 *
 * @throws DatabaseError when there is no file, or it is in use
 */
export async function verify(options: VerifyOptions): Promise<VerifyReport> {
  const { path, files, cacheBytes } = options;
  if (!files.exists(path)) throw new DatabaseError(`there is no file ${path}`);
  const sizes = { bytes: sizeOf(files, path), walBytes: sizeOf(files, `${path}-wal`) };
  try {
    refuseForeignWriter(files, path);
    clearForeignShm(files, path);
    // SQLite would delete that WAL at its first look.
    if (sizes.bytes === 0 && sizes.walBytes > 0) {
      const problems = [
        'the database is empty, and its WAL is not: the next start moves that aside',
      ];
      return { ...sizes, problems, meta: null, rows: {} };
    }
    const unreadable = unreadableCommits(files, path);
    const seal = new Seal();
    const connection = await openConnection({ path, files, beforeWrite: seal.check });
    try {
      const found = inspect(connection, cacheBytes);
      if (unreadable !== undefined) {
        const { commits } = unreadable;
        found.problems.push(
          commits === 'all'
            ? 'the header of the WAL is damaged: what it holds cannot be read; the next start keeps a copy'
            : `${commits} commits in the WAL cannot be read: it is damaged; the next start keeps a copy`,
        );
      }
      seal.closed = found.problems.length > 0;
      return { ...sizes, ...found };
    } finally {
      closeQuietly(connection);
    }
  } catch (error) {
    throw databaseError(`verify ${path}`, error);
  }
}

function inspect(
  connection: Connection,
  cacheBytes: number,
): Pick<VerifyReport, 'meta' | 'rows'> & { readonly problems: string[] } {
  const problems = fullCheck(connection, cacheBytes);
  const rows: Record<string, number> = {};
  let meta: Meta | null = null;
  try {
    meta = readMeta(connection);
    if (meta.schemaVersion === 0) problems.push('no sidecar has used this file yet');
    for (const kind of KINDS) {
      const { exists, missing } = checkTable(connection, kind);
      if (!exists) {
        problems.push(`the table ${kind.table} is missing`);
        continue;
      }
      for (const { name } of missing) problems.push(`${kind.table} lacks the column ${name}`);
      rows[kind.table] = Number(readValue(connection, `SELECT count(*) FROM ${kind.table}`));
      for (const index of indexesOf(kind)) {
        const sql = 'SELECT sql FROM sqlite_schema WHERE name = ?';
        if (readValue(connection, sql, index.name) !== index.sql) {
          problems.push(`the index ${index.name} is missing or differs; the next start makes it`);
        }
      }
    }
  } catch (error) {
    problems.push(databaseError('read the schema', error).reason);
  }
  return { problems, meta, rows };
}
