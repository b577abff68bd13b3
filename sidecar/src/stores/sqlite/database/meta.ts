/** What the file says about itself, in agenttier_meta. */

import type { Connection } from '../engine/connection.ts';
import { DatabaseError } from './database-error.ts';
import { CREATE_META_SQL, META_TABLE } from './ddl.ts';
import { readRows } from './read-rows.ts';

export interface Meta {
  /** Number of the last migration that ran; 0 for a file that has never seen a sidecar. */
  readonly schemaVersion: number;
  /** Oldest schema version whose sidecar may still write this file. */
  readonly minWriterVersion: number;
  /** Version of the sidecar that wrote it last. */
  readonly writtenBy: string | null;
}

const KEYS = {
  schemaVersion: 'schema_version',
  minWriterVersion: 'min_writer_version',
  writtenBy: 'written_by',
} as const;

/** @throws DatabaseError when the table is somebody else's or holds what is not a version */
export function readMeta(connection: Connection): Meta {
  const columns = readRows(connection, 'SELECT name FROM pragma_table_info(?)', 1, [META_TABLE]);
  if (columns.length === 0) return { schemaVersion: 0, minWriterVersion: 0, writtenBy: null };
  const names = new Set(columns.map(([name]) => name));
  if (!names.has('key') || !names.has('value')) {
    throw new DatabaseError(`the table ${META_TABLE} in this file lacks key or value`, {
      hint: 'name another file in STORAGE_SQLITE_PATH, or rename that table',
    });
  }
  const values = new Map<string | null, string | null>();
  for (const [key, value] of readRows(connection, `SELECT key, value FROM ${META_TABLE}`, 2)) {
    values.set(key ?? null, value ?? null);
  }
  return {
    schemaVersion: version(values, KEYS.schemaVersion),
    minWriterVersion: version(values, KEYS.minWriterVersion),
    writtenBy: values.get(KEYS.writtenBy) ?? null,
  };
}

/** Writes what differs; must run in a transaction. */
export function writeMeta(connection: Connection, meta: Meta): void {
  if (readRows(connection, 'SELECT 1 FROM pragma_table_info(?)', 1, [META_TABLE]).length === 0) {
    connection.exec(CREATE_META_SQL);
  }
  const update = connection.prepare(`UPDATE ${META_TABLE} SET value = ? WHERE key = ?`);
  const insert = connection.prepare(`INSERT INTO ${META_TABLE} (value, key) VALUES (?, ?)`);
  try {
    for (const field of Object.keys(KEYS) as (keyof Meta)[]) {
      const value = meta[field];
      if (value === null) continue;
      for (const statement of [update, insert]) {
        statement.bindText(1, String(value));
        statement.bindText(2, KEYS[field]);
        statement.run();
        if (connection.changes() > 0) break;
      }
    }
  } finally {
    update.finalize();
    insert.finalize();
  }
}

function version(values: ReadonlyMap<string | null, string | null>, key: string): number {
  const text = values.get(key) ?? '0';
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new DatabaseError(`${key} in ${META_TABLE} is not a whole number`, {
    hint: 'restore the file from a backup, or name another one in STORAGE_SQLITE_PATH',
  });
}
