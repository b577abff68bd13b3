import { copyFileSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import type { Kind } from '../../../sidecar/src/records/kinds.ts';
import type { Item, ListQuery } from '../../../sidecar/src/records/list.ts';
import { type Rows, RowWriter } from '../../../sidecar/src/records/rows.ts';
import { Database } from '../../../sidecar/src/stores/sqlite/database/database.ts';
import type { DatabaseOptions } from '../../../sidecar/src/stores/sqlite/database/opening.ts';
import { nodeFiles } from '../../../sidecar/src/stores/sqlite/files/node-files.ts';

export const UPSTREAM = fileURLToPath(new URL('../fixtures/upstream-0.8.1.db', import.meta.url));

export type Fields = Readonly<Record<string, string | number>>;

/** A directory that goes when the test ends. */
export function temporaryDirectory(): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'agenttier-database-')));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export function temporaryPath(): string {
  return join(temporaryDirectory(), 'agenttier.db');
}

/** A copy of a file that upstream's own storage package wrote: 240 rows in each table. */
export function upstreamCopy(): string {
  const path = temporaryPath();
  copyFileSync(UPSTREAM, path);
  return path;
}

/** A database, and what it told as it was opened. */
export type OpenedDatabase = Database & { readonly notices: readonly string[] };

/** Opens a database, and keeps what it tells. */
export async function openTelling(options: DatabaseOptions): Promise<OpenedDatabase> {
  const notices: string[] = [];
  const onNotice = (notice: string) => notices.push(notice);
  return Object.assign(await Database.open({ onNotice, ...options }), { notices });
}

/** Opens a database that is closed when the test ends, whatever became of it. */
export async function open(
  path: string,
  options: Partial<DatabaseOptions> = {},
): Promise<OpenedDatabase> {
  const defaults = { files: nodeFiles, cacheBytes: 4 * 1024 * 1024, version: '1.2.3' };
  const database = await openTelling({ path, ...defaults, ...options });
  onTestFinished(() => {
    try {
      database.close();
    } catch {
      // The test looks at failures itself.
    }
  });
  return database;
}

/** Rows as ingest makes them: every column present, an event_id included. */
export function rowsOf(kind: Kind, records: readonly Fields[]): Rows {
  const writer = new RowWriter();
  for (const record of records) {
    const full: Record<string, string | number> = {};
    for (const column of kind.columns) {
      if (column.type === 'number') full[column.name] = 0;
      else if (column.type === 'time') full[column.name] = '2026-11-23T09:00:00.000000000Z';
      else full[column.name] = column.type === 'event_id' ? crypto.randomUUID() : '';
    }
    writer.add(kind, { ...full, ...record });
  }
  return writer.take();
}

/** All pages of a list, as the store reads them. */
export function listAll(database: Database, query: ListQuery, budgetMs = 1_000): Item[] {
  const items: Item[] = [];
  let next: ListQuery = query;
  for (;;) {
    const slice = database.slice(next, budgetMs);
    items.push(...slice.items);
    if (slice.next === null) return items;
    next = { ...query, after: slice.next };
  }
}

/** Reads or writes a file by Node's own SQLite: another implementation, with locks of its own. */
export function withNodeSqlite<T>(path: string, use: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(path);
  try {
    return use(database);
  } finally {
    database.close();
  }
}

/** What Node's own SQLite finds wrong with a file: `['ok']` when nothing is. */
export function integrity(path: string): unknown[] {
  return withNodeSqlite(path, (database) =>
    database
      .prepare('PRAGMA integrity_check')
      .all()
      .map((row) => row.integrity_check),
  );
}
