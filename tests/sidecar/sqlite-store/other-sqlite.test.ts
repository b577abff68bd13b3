import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { auditRows, databasePath, storedIds, testStore, until } from '../support/sqlite-store.ts';

const run = promisify(execFile);

/** Another SQLite: opens the file, runs the SQL, closes. Resolves with what it printed. */
type OtherSqlite = (path: string, sql: string) => Promise<string>;

const NODE_PROGRAM = `
const { DatabaseSync } = require('node:sqlite');
const database = new DatabaseSync(process.argv[1]);
try {
  const rows = database.prepare(process.argv[2]).all();
  for (const row of rows) console.log(Object.values(row).join('|'));
} finally {
  database.close();
}`;

const nodeSqlite: OtherSqlite = async (path, sql) =>
  (await run(process.execPath, ['-e', NODE_PROGRAM, path, sql])).stdout.trim();

const sqliteProgram: OtherSqlite = async (path, sql) =>
  (await run('sqlite3', [path, sql])).stdout.trim();

const others: [string, OtherSqlite][] = [['node:sqlite', nodeSqlite]];
if (hasProgram('sqlite3')) others.push(['the sqlite3 program', sqliteProgram]);
else console.warn('the sqlite3 program is not here: only node:sqlite plays the other SQLite');

function hasProgram(name: string): boolean {
  try {
    execFileSync(name, ['-version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe.each(others)('another SQLite on the open file: %s', (_, sqlite) => {
  it('reads live rows, is refused to write, and harms nothing by opening and closing', async () => {
    const path = databasePath();
    const store = testStore(path);
    await store.open();
    for (let round = 0; round < 5; round++) {
      await store.append(auditRows(`a-${round}`));
      expect(await sqlite(path, 'SELECT count(*) FROM audit_events')).toBe(`${round + 1}`);
      expect(existsSync(`${path}-wal`)).toBe(true);
      expect(statSync(`${path}-shm`).isDirectory()).toBe(true);
      for (const sql of [
        "INSERT INTO audit_events (ts, actor) VALUES ('x', 'y')",
        'DELETE FROM audit_events',
        'VACUUM',
        'CREATE TABLE other (x)',
      ]) {
        await expect(sqlite(path, sql)).rejects.toThrow(/readonly|read-only|locked|unable/);
      }
      // Refused, busy or nothing done: what counts is that the rows and the WAL stay.
      await sqlite(path, 'PRAGMA wal_checkpoint(TRUNCATE)').catch(() => {});
      await sqlite(path, 'PRAGMA journal_mode = DELETE').catch(() => {});
    }
    expect(await storedIds(store)).toEqual(['a-0', 'a-1', 'a-2', 'a-3', 'a-4']);
    await store.close(AbortSignal.timeout(5_000));
    expect(readdirSync(dirname(path))).toEqual(['agenttier.db']);
    expect(await sqlite(path, 'PRAGMA integrity_check')).toBe('ok');
    expect(await sqlite(path, 'SELECT count(*) FROM audit_events')).toBe('5');
  });

  it('reads while records stream in', async () => {
    const path = databasePath();
    const store = testStore(path);
    await store.open();
    let stored = 0;
    let reading = true;
    const writing = (async () => {
      while (reading) {
        await store.append(auditRows(`s-${stored}`));
        stored += 1;
      }
    })();
    for (let round = 0; round < 10; round++) {
      const atLeast = stored;
      // A reader may meet the WAL at the moment it begins anew, and then has to read again.
      await until(async () => {
        const count = await sqlite(path, 'SELECT count(*) FROM audit_events').catch(() => '0');
        return Number(count) >= atLeast;
      });
    }
    reading = false;
    await writing;
    expect(await storedIds(store)).toHaveLength(stored);
  });
});

describe('what another SQLite has left behind', () => {
  it('a stale shared-memory file gives way to the directory', async () => {
    const path = databasePath();
    writeFileSync(`${path}-shm`, Buffer.alloc(32_768));
    const store = testStore(path);
    await store.open();
    expect(statSync(`${path}-shm`).isDirectory()).toBe(true);
    await store.append(auditRows('a'));
    await store.close(AbortSignal.timeout(5_000));
    expect(readdirSync(dirname(path))).toEqual(['agenttier.db']);
  });

  it('one that still has the file open in WAL mode is named', async () => {
    const path = databasePath();
    const other = new DatabaseSync(path);
    try {
      other.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (x); BEGIN; SELECT * FROM t');
      const store = testStore(path);
      await expect(store.open()).rejects.toThrow(`process ${process.pid} has ${path} open`);
      other.close();
      await store.open();
      await store.append(auditRows('a'));
      expect(await storedIds(store)).toEqual(['a']);
    } finally {
      if (other.isOpen) other.close();
    }
  });
});
