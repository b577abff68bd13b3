import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { FaultFiles } from '../support/fault-files.ts';
import { query, value } from '../support/query.ts';
import { openWal } from './open-wal.ts';
import { testDirectory } from './test-directory.ts';

const ROWS = "INSERT INTO t SELECT printf('%0200d', n) FROM n";
const NUMBERS =
  'CREATE TABLE t(a TEXT); CREATE INDEX t_a ON t(a); CREATE VIEW n AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 1000) SELECT n FROM c';

test('a commit of many pages is one write and one sync', async () => {
  const counted = new FaultFiles();
  const connection = await openWal({
    path: join(testDirectory(), 'a.db'),
    files: counted.files,
  });
  connection.exec(NUMBERS);
  connection.exec(ROWS);
  counted.forgetCounts();
  connection.exec('BEGIN');
  const insert = connection.prepare("INSERT INTO t VALUES(printf('%0200d', ?))");
  for (let i = 0; i < 1_000; i++) {
    insert.bindDouble(1, i);
    insert.run();
  }
  connection.exec('COMMIT');
  expect(counted.count('write')).toBe(1);
  expect(counted.count('sync')).toBe(1);
  connection.close();
});

test('a transaction larger than the gathered range is read back while it goes on', async () => {
  const counted = new FaultFiles();
  const path = join(testDirectory(), 'a.db');
  // A cache of 20 pages: most of the transaction is spilled into the log and read from it again.
  const connection = await openWal({ path, files: counted.files }, 'PRAGMA cache_size=20');
  connection.exec(NUMBERS);
  connection.exec('BEGIN');
  for (let i = 0; i < 10; i++) connection.exec(ROWS);
  expect(value(connection, 'SELECT count(*) FROM t')).toBe('10000');
  expect(value(connection, 'PRAGMA integrity_check')).toBe('ok');
  connection.exec('COMMIT');
  expect(counted.count('read', /-wal$/)).toBeGreaterThan(0);
  expect(query(connection, 'PRAGMA wal_checkpoint(TRUNCATE)', 3)).toEqual([['0', '0', '0']]);
  connection.close();
  const other = new DatabaseSync(path);
  expect(other.prepare('SELECT count(*) AS n FROM t').get()).toEqual({ n: 10_000 });
  expect(other.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
  other.close();
});

test('another SQLite sees a commit at once', async () => {
  const path = join(testDirectory(), 'a.db');
  const connection = await openWal({ path });
  connection.exec(NUMBERS);
  connection.exec(ROWS);
  const other = new DatabaseSync(path, { readOnly: true });
  expect(other.prepare('SELECT count(*) AS n FROM t').get()).toEqual({ n: 1_000 });
  other.close();
  connection.close();
});
