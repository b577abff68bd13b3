import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { SqliteError } from '../../../sidecar/src/stores/sqlite/engine/connection.ts';
import {
  openConnection,
  SQLITE_VERSION,
} from '../../../sidecar/src/stores/sqlite/engine/engine.ts';
import { nodeFiles } from '../../../sidecar/src/stores/sqlite/files/node-files.ts';
import { query, value } from '../support/query.ts';
import { openWal } from './open-wal.ts';
import { testDirectory } from './test-directory.ts';

describe('a database file', () => {
  test('is an ordinary one: node:sqlite reads it, and one file is left after close', async () => {
    const directory = testDirectory();
    const path = join(directory, 'a.db');
    const connection = await openWal({ path });
    connection.exec("CREATE TABLE t(a TEXT); INSERT INTO t VALUES('one'), ('two')");
    expect(connection.changes()).toBe(2);
    expect(readdirSync(directory).sort()).toEqual(['a.db', 'a.db-wal']);
    connection.close();
    expect(connection.sound).toBe(true);
    expect(readdirSync(directory)).toEqual(['a.db']);
    const other = new DatabaseSync(path);
    expect(
      other
        .prepare('SELECT a FROM t')
        .all()
        .map((row) => row.a),
    ).toEqual(['one', 'two']);
    expect(other.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
    other.close();
  });

  test('has the settings that are asked for, and the version that is named', async () => {
    const connection = await openWal({ path: join(testDirectory(), 'a.db') });
    expect(value(connection, 'PRAGMA locking_mode')).toBe('exclusive');
    expect(value(connection, 'PRAGMA journal_mode')).toBe('wal');
    expect(value(connection, 'PRAGMA synchronous')).toBe('2');
    expect(value(connection, 'SELECT sqlite_version()')).toBe(SQLITE_VERSION);
    connection.close();
  });

  test('may lie at a path with spaces and letters beyond ASCII', async () => {
    const directory = join(testDirectory(), 'größer und 日本 🗂');
    mkdirSync(directory);
    const path = join(directory, 'ein Name ü.db');
    const connection = await openWal({ path });
    connection.exec('CREATE TABLE t(a); INSERT INTO t VALUES(1)');
    expect(readdirSync(directory).sort()).toEqual(['ein Name ü.db', 'ein Name ü.db-wal']);
    connection.close();
    const again = await openWal({ path });
    expect(value(again, 'SELECT count(*) FROM t')).toBe('1');
    again.close();
  });

  test('is rolled back by a hot journal that a killed process left', async () => {
    const directory = testDirectory();
    const path = join(directory, 'a.db');
    // Killed in mid-transaction, after pages were spilled into the file.
    const script = `
      const { DatabaseSync } = require('node:sqlite');
      const db = new DatabaseSync(${JSON.stringify(path)});
      db.exec("PRAGMA journal_mode=DELETE; PRAGMA cache_size=5; CREATE TABLE t(a TEXT)");
      db.exec("INSERT INTO t SELECT printf('%0500d', value) FROM generate_series(1, 200)");
      db.exec("BEGIN; UPDATE t SET a = printf('%0500d', 0)");
      process.kill(process.pid, 'SIGKILL');`.replace(
      'FROM generate_series(1, 200)',
      'FROM (WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value+1 FROM n LIMIT 200) SELECT value FROM n)',
    );
    expect(() => execFileSync(process.execPath, ['-e', script], { stdio: 'ignore' })).toThrow();
    expect(readdirSync(directory).sort()).toEqual(['a.db', 'a.db-journal']);
    const connection = await openWal({ path });
    expect(value(connection, 'SELECT count(DISTINCT a) FROM t')).toBe('200');
    expect(value(connection, 'PRAGMA integrity_check')).toBe('ok');
    connection.close();
    expect(readdirSync(directory)).toEqual(['a.db']);
  });

  test('keeps what a killed process had committed to the log', async () => {
    const directory = testDirectory();
    const live = join(directory, 'a.db');
    const connection = await openWal({ path: live });
    connection.exec('CREATE TABLE t(a); INSERT INTO t VALUES(1)');
    connection.exec('BEGIN; INSERT INTO t VALUES(2)');
    const copy = join(directory, 'b.db');
    copyFileSync(live, copy);
    copyFileSync(`${live}-wal`, `${copy}-wal`);
    connection.close();
    const again = await openWal({ path: copy });
    expect(query(again, 'SELECT a FROM t')).toEqual([['1']]);
    again.close();
  });

  test('that is missing in a missing directory gives an error that carries the cause', async () => {
    const path = join(testDirectory(), 'none', 'a.db');
    const error = await openConnection({ path, files: nodeFiles }).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(SqliteError);
    expect(error).toMatchObject({ code: 14, hostCode: 'ENOENT' });
  });

  test('is not reached through a symbolic link', async () => {
    const directory = testDirectory();
    writeFileSync(join(directory, 'target'), '');
    symlinkSync(join(directory, 'target'), join(directory, 'a.db'));
    const opening = openConnection({ path: join(directory, 'a.db'), files: nodeFiles });
    await expect(opening).rejects.toMatchObject({ code: 14 });
  });

  test('needs an absolute path', async () => {
    const opening = openConnection({ path: 'a.db', files: nodeFiles });
    await expect(opening).rejects.toBeInstanceOf(TypeError);
  });
});

describe('values', () => {
  test('come back as they were bound', async () => {
    const connection = await openWal({ path: join(testDirectory(), 'a.db') });
    connection.exec('CREATE TABLE t(a TEXT, b REAL)');
    const insert = connection.prepare('INSERT INTO t VALUES(?, ?)');
    const texts = [
      '',
      'a',
      'größer',
      '日本 🗂',
      'x'.repeat(24),
      `${'x'.repeat(23)}ü`,
      "it's\n\0end",
    ];
    for (const [i, text] of texts.entries()) {
      insert.bindText(1, text);
      insert.bindDouble(2, i / 3);
      insert.run();
    }
    insert.bindNull(1);
    insert.bindDouble(2, -1e308);
    insert.run();
    const select = connection.prepare('SELECT a, b, typeof(a) FROM t ORDER BY rowid');
    for (const [i, text] of texts.entries()) {
      expect(select.step()).toBe(true);
      expect(select.text(0)).toBe(text);
      expect(select.double(1)).toBe(i / 3);
      expect(select.text(2)).toBe('text');
      expect(select.isNull(0)).toBe(false);
    }
    expect(select.step()).toBe(true);
    expect(select.isNull(0)).toBe(true);
    expect(select.text(0)).toBe('');
    expect(select.double(1)).toBe(-1e308);
    expect(select.step()).toBe(false);
    connection.close();
  });

  test('of 64 bits come out exactly, as text', async () => {
    const connection = await openWal({ path: join(testDirectory(), 'a.db') });
    expect(value(connection, 'SELECT 9223372036854775807')).toBe('9223372036854775807');
    connection.close();
  });

  test('are bound where they lie in the heap, empty ones included', async () => {
    const connection = await openWal({ path: join(testDirectory(), 'a.db') });
    connection.exec('CREATE TABLE t(a TEXT NOT NULL, b TEXT NOT NULL)');
    const insert = connection.prepare('INSERT INTO t VALUES(?, ?)');
    const batch = Buffer.from('größer');
    const address = connection.load(batch);
    insert.bindHeapText(1, address, batch.length);
    insert.bindHeapText(2, address + batch.length, 0);
    insert.run();
    const empty = connection.load(Buffer.alloc(0));
    insert.bindHeapText(1, empty, 0);
    insert.bindHeapText(2, empty, 0);
    insert.run();
    expect(query(connection, 'SELECT a, b FROM t', 2)).toEqual([
      ['größer', ''],
      ['', ''],
    ]);
    connection.close();
  });

  test('survive that the heap grows under them', async () => {
    const connection = await openWal({ path: join(testDirectory(), 'a.db') });
    connection.exec('CREATE TABLE t(a TEXT)');
    const insert = connection.prepare('INSERT INTO t VALUES(?)');
    const sizes = [1, 1_000_000, 20_000_000, 60_000_000];
    for (const size of sizes) {
      const bytes = Buffer.alloc(size, 'é');
      insert.bindHeapText(1, connection.load(bytes), bytes.length & ~1);
      insert.run();
    }
    insert.bindText(1, 'ü'.repeat(10_000_000));
    insert.run();
    expect(query(connection, 'SELECT length(a) FROM t').map(([length]) => Number(length))).toEqual([
      0, 500_000, 10_000_000, 30_000_000, 10_000_000,
    ]);
    const select = connection.prepare('SELECT a FROM t WHERE rowid = 2');
    select.step();
    expect(select.text(0)).toBe('é'.repeat(500_000));
    connection.close();
  });
});

describe('misuse and failure', () => {
  test('an error names SQLite’s message and code, and the statement can be used again', async () => {
    const connection = await openWal({ path: join(testDirectory(), 'a.db') });
    connection.exec('CREATE TABLE t(a TEXT UNIQUE)');
    const insert = connection.prepare('INSERT INTO t VALUES(?)');
    insert.bindText(1, 'x');
    insert.run();
    expect(() => insert.run()).toThrow(
      expect.objectContaining({
        code: 19,
        hostCode: undefined,
        message: expect.stringContaining('t.a'),
      }),
    );
    insert.bindText(1, 'y');
    insert.run();
    expect(() => connection.exec('nonsense')).toThrow(SqliteError);
    expect(() => connection.prepare('  ')).toThrow(SqliteError);
    expect(() => insert.bindText(2, 'z')).toThrow(expect.objectContaining({ code: 25 }));
    expect(connection.sound).toBe(true);
    connection.close();
  });

  test('close finalises what is open, may be called twice, and leaves nothing usable', async () => {
    const directory = testDirectory();
    const connection = await openWal({ path: join(directory, 'a.db') });
    const statement = connection.prepare('SELECT 1');
    statement.step();
    connection.close();
    connection.close();
    statement.finalize();
    statement.reset();
    expect(readdirSync(directory)).toEqual(['a.db']);
    expect(() => statement.step()).toThrow(expect.objectContaining({ code: 21 }));
    expect(() => connection.exec('SELECT 1')).toThrow(expect.objectContaining({ code: 21 }));
  });

  test('two connections in one process share nothing', async () => {
    const directory = testDirectory();
    const one = await openWal({ path: join(directory, 'one.db') });
    const two = await openWal({ path: join(directory, 'two.db') });
    one.exec('CREATE TABLE t(a)');
    expect(value(two, 'SELECT count(*) FROM sqlite_schema')).toBe('0');
    one.close();
    two.exec('CREATE TABLE u(a)');
    two.close();
  });

  test('a trap inside WebAssembly is an error, and ends the connection alone', async () => {
    const directory = testDirectory();
    const path = join(directory, 'a.db');
    const connection = await openWal({ path });
    connection.exec('CREATE TABLE t(a TEXT); INSERT INTO t VALUES(1)');
    const insert = connection.prepare('INSERT INTO t VALUES(?)');
    // An address outside of the memory: reading the text traps.
    insert.bindHeapText(1, 0x7fff_0000, 1_000);
    expect(() => insert.run()).toThrow(expect.objectContaining({ name: 'SqliteError' }));
    expect(connection.sound).toBe(false);
    expect(() => connection.exec('SELECT 1')).toThrow(/open the database anew/);
    connection.close();
    const again = await openWal({ path });
    expect(query(again, 'SELECT a FROM t')).toEqual([['1']]);
    again.close();
  });
});
