/**
 * The baseline of the batches: node:sqlite in process, one transaction a batch. Its parent sends a
 * {@link NativeJob} and gets the seconds that the counted batches took.
 */

import { DatabaseSync } from 'node:sqlite';
import * as v from 'valibot';
import { KINDS } from '../../sidecar/src/records/kinds.ts';
import { SCHEMAS } from '../../sidecar/src/records/schema.ts';
import { DUE_BYTES } from '../../sidecar/src/stores/sqlite/database/checkpoint.ts';
import {
  createTableSql,
  indexesOf,
  insertSql,
} from '../../sidecar/src/stores/sqlite/database/ddl.ts';
import { batches } from './bodies.ts';

export interface NativeJob {
  readonly path: string;
  readonly size: number;
  readonly warmup: number;
  readonly count: number;
}

/** Of a new file, the sidecar's as SQLite's own. */
const PAGE_BYTES = 4_096;

export interface NativeReport {
  readonly seconds: number;
}

process.once('message', (job: NativeJob) => {
  process.send?.(run(job), () => process.disconnect());
});

function run(job: NativeJob): NativeReport {
  const prepared = prepare(job);
  const database = new DatabaseSync(job.path);
  // As the sidecar sets them, in settings.ts and checkpoint.ts of stores/sqlite.
  database.exec('PRAGMA locking_mode = EXCLUSIVE');
  database.exec('PRAGMA journal_mode = WAL');
  database.exec('PRAGMA synchronous = FULL');
  database.exec(`PRAGMA cache_size = ${-32 * 1_024}`);
  database.exec(`PRAGMA wal_autocheckpoint = ${DUE_BYTES / PAGE_BYTES}`);
  for (const kind of KINDS) {
    database.exec(createTableSql(kind));
    for (const { sql } of indexesOf(kind)) database.exec(sql);
  }
  const inserts = KINDS.map((kind) => database.prepare(insertSql(kind)));
  const begin = database.prepare('BEGIN IMMEDIATE');
  const commit = database.prepare('COMMIT');
  const insertAll = (part: typeof prepared) => {
    for (const { kindIndex, rows } of part) {
      const insert = inserts[kindIndex]!;
      begin.run();
      for (const row of rows) insert.run(...row);
      commit.run();
    }
  };
  insertAll(prepared.slice(0, job.warmup));
  const started = performance.now();
  insertAll(prepared.slice(job.warmup));
  const seconds = (performance.now() - started) / 1_000;
  database.close();
  return { seconds };
}

/** Rows as the sidecar stores them, validated beforehand: only the database is measured. */
function prepare(job: NativeJob) {
  const prepared: { kindIndex: number; rows: (string | number)[][] }[] = [];
  for (const { kind, records } of batches(job.size, 200)) {
    const rows = records.map((fields) => {
      const record = v.parse(SCHEMAS[kind.index]!, { ...fields });
      return kind.columns.map((column) => record[column.name]!);
    });
    prepared.push({ kindIndex: kind.index, rows });
    if (prepared.length === job.warmup + job.count) return prepared;
  }
  return prepared;
}
