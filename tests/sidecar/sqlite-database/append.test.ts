import { existsSync, readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import {
  AUDIT_EVENT,
  COST_SNAPSHOT,
  KINDS,
  SANDBOX_EVENT,
} from '../../../sidecar/src/records/kinds.ts';
import { RowWriter } from '../../../sidecar/src/records/rows.ts';
import type { DatabaseError } from '../../../sidecar/src/stores/sqlite/database/database-error.ts';
import { integrity, open, rowsOf, temporaryPath, withNodeSqlite } from './harness.ts';

const READ_ALL = (table: string) => `SELECT * FROM ${table} ORDER BY id`;

test('stores every kind as Node’s own SQLite then reads it', async () => {
  const path = temporaryPath();
  const database = await open(path);
  const audit = { actor: 'ana', action: 'create', resource: 'sandbox', details: 'ü„“🚀\n\t' };
  const event = { sandbox_id: 's', phase: 'Running', message: 'x'.repeat(65_535) };
  const cost = { sandbox_id: 's', cpu_hours: 0.1, mem_gb_hours: 1e-300, estimated_usd: 1e15 };
  const writer = new RowWriter();
  for (const [kind, record] of [
    [AUDIT_EVENT, audit],
    [SANDBOX_EVENT, event],
    [COST_SNAPSHOT, cost],
  ] as const) {
    const empty = kind.columns.map((column) => [column.name, column.type === 'number' ? 0 : '']);
    writer.add(kind, {
      ...Object.fromEntries(empty),
      ts: '2026-11-23T09:00:00.000000001Z',
      event_id: 'e-1',
      ...record,
    });
  }
  expect(database.append(writer.take())).toEqual({ duplicates: [] });
  database.close();

  withNodeSqlite(path, (other) => {
    const read = (table: string) => ({ ...other.prepare(READ_ALL(table)).get() });
    const common = { id: 1, ts: '2026-11-23T09:00:00.000000001Z', event_id: 'e-1' };
    expect(read('audit_events')).toEqual({ ...common, sandbox_id: '', ...audit });
    expect(read('sandbox_events')).toEqual({
      ...{ ...common, sandbox_name: '', namespace: '', reason: '' },
      ...event,
    });
    expect(read('cost_snapshots')).toEqual({ ...common, namespace: '', ...cost });
  });
});

test('tells the rows that are stored already or stand twice in the batch, by index', async () => {
  const database = await open(temporaryPath());
  const ids = (...names: string[]) =>
    rowsOf(
      AUDIT_EVENT,
      names.map((event_id) => ({ event_id })),
    );
  expect(database.append(ids('a', 'b', 'a', 'A'))).toEqual({ duplicates: [2] });
  expect(database.append(ids('c', 'b', 'd', 'd', 'a'))).toEqual({ duplicates: [1, 3, 4] });
  expect(database.append(ids())).toEqual({ duplicates: [] });
});

test('stores all rows of a batch or none, and goes on after a refusal', async () => {
  const path = temporaryPath();
  await open(path).then((database) => database.close());
  withNodeSqlite(path, (other) =>
    other.exec(`CREATE TRIGGER refuse BEFORE INSERT ON audit_events WHEN new.actor = 'poison'
                BEGIN SELECT RAISE(ABORT, 'secret of the record'); END`),
  );
  const database = await open(path);
  const batch = (...actors: string[]) =>
    rowsOf(
      AUDIT_EVENT,
      actors.map((actor) => ({ actor })),
    );
  const refusal = thrownBy(() => database.append(batch('a', 'poison', 'b')));
  expect(refusal).toMatchObject({ name: 'StoreError', class: 'data', corrupt: false });
  expect(refusal.reason).not.toContain('secret');
  expect(database.append(batch('a', 'b'))).toEqual({ duplicates: [] });
  database.close();
  const count = 'SELECT count(*) AS n FROM audit_events';
  expect(withNodeSqlite(path, (other) => other.prepare(count).get())).toEqual({ n: 2 });
});

test('refuses a record that another program’s trigger ignores, and calls no such one stored', async () => {
  const path = temporaryPath();
  await open(path).then((database) => database.close());
  withNodeSqlite(path, (other) =>
    other.exec(`CREATE TRIGGER ignore BEFORE INSERT ON audit_events WHEN new.actor = 'ignored'
                BEGIN SELECT RAISE(IGNORE); END`),
  );
  const database = await open(path);
  const kept = { actor: 'a', event_id: 'kept' };
  const ignored = { actor: 'ignored', event_id: 'ignored' };
  const refusal = thrownBy(() => database.append(rowsOf(AUDIT_EVENT, [kept, ignored])));
  expect(refusal).toMatchObject({ name: 'StoreError', class: 'data' });
  expect(refusal.reason).toMatch(/audit_events.*ignores the row; look for RAISE\(IGNORE\)/);
  expect(database.append(rowsOf(AUDIT_EVENT, [kept]))).toEqual({ duplicates: [] });
  // One that is stored is a duplicate, whoever ignores it.
  const resent = rowsOf(AUDIT_EVENT, [kept, { ...ignored, event_id: 'kept' }]);
  expect(database.append(resent)).toEqual({ duplicates: [0, 1] });
});

test('a trigger that ignores every record fails the trial write, as storage and not as data', async () => {
  const path = temporaryPath();
  await open(path).then((database) => database.close());
  withNodeSqlite(path, (other) =>
    other.exec(`CREATE TRIGGER ignore BEFORE INSERT ON cost_snapshots
                BEGIN SELECT RAISE(IGNORE); END`),
  );
  const database = await open(path);
  expect(thrownBy(() => database.probe())).toMatchObject({
    class: 'transient',
    reason: expect.stringContaining('cost_snapshots'),
  });
});

test('never hands out the id of a deleted row again', async () => {
  const path = temporaryPath();
  const database = await open(path);
  database.append(rowsOf(AUDIT_EVENT, [{}, {}]));
  database.close();
  withNodeSqlite(path, (other) => other.exec('DELETE FROM audit_events'));
  const again = await open(path);
  again.append(rowsOf(AUDIT_EVENT, [{}]));
  again.close();
  const ids = withNodeSqlite(path, (other) => other.prepare('SELECT id FROM audit_events').all());
  expect(ids).toEqual([{ id: 3 }]);
});

test('tells ids that are used up from a full volume, and the advice mends it', async () => {
  const path = temporaryPath();
  await open(path).then((database) => database.close());
  withNodeSqlite(path, (other) =>
    other.exec(`INSERT INTO audit_events (id, ts) VALUES (41, ''), (9223372036854775807, '')`),
  );
  const failed = await open(path);
  const usedUp = /^cannot append: audit_events has no id left: .*9223372036854775807; .*lower id/;
  const failure = thrownBy(() => failed.append(rowsOf(AUDIT_EVENT, [{}])));
  expect(failure).toMatchObject({ class: 'transient', reason: expect.stringMatching(usedUp) });
  expect(failure.reason).not.toContain('free space');
  expect(thrownBy(() => failed.probe()).reason).toContain('audit_events has no id left');
  failed.close();

  const count = "UPDATE sqlite_sequence SET seq = 42 WHERE name = 'audit_events'";
  withNodeSqlite(path, (other) =>
    other.exec('UPDATE audit_events SET id = 42 WHERE id = 9223372036854775807'),
  );
  const half = await open(path);
  expect(thrownBy(() => half.append(rowsOf(AUDIT_EVENT, [{}]))).reason).toContain('no id left');
  half.close();
  withNodeSqlite(path, (other) => other.exec(count));
  const mended = await open(path);
  expect(mended.append(rowsOf(AUDIT_EVENT, [{}]))).toEqual({ duplicates: [] });
});

test('makes plain tables with the indexes that lists need and no more', async () => {
  const path = temporaryPath();
  await open(path).then((database) => database.close());
  withNodeSqlite(path, (other) => {
    for (const kind of KINDS) {
      const columns = other.prepare('SELECT name FROM pragma_table_info(?)').all(kind.table);
      expect(columns.map(({ name }) => name)).toEqual([
        'id',
        ...kind.columns.map((column) => column.name),
      ]);
    }
    const indexes = other.prepare("SELECT sql FROM sqlite_schema WHERE type = 'index'").all();
    const shapes = indexes.map(({ sql }) => sql).filter((sql) => sql !== null);
    expect(shapes.map((sql) => String(sql).replace(/INDEX \S+ /, 'INDEX '))).toEqual([
      'CREATE INDEX ON audit_events (ts)',
      'CREATE INDEX ON audit_events (actor, ts)',
      'CREATE INDEX ON audit_events (sandbox_id, ts)',
      'CREATE UNIQUE INDEX ON audit_events (event_id)',
      'CREATE INDEX ON sandbox_events (ts)',
      'CREATE INDEX ON sandbox_events (sandbox_id, ts)',
      'CREATE UNIQUE INDEX ON sandbox_events (event_id)',
      'CREATE INDEX ON cost_snapshots (ts)',
      'CREATE INDEX ON cost_snapshots (sandbox_id, ts)',
      'CREATE UNIQUE INDEX ON cost_snapshots (event_id)',
    ]);
  });
});

test('leaves one file when it closes, and refuses to go on afterwards', async () => {
  const path = temporaryPath();
  const database = await open(path);
  database.append(rowsOf(AUDIT_EVENT, [{}]));
  expect(existsSync(`${path}-wal`)).toBe(true);
  database.close();
  database.close();
  expect(readdirSync(dirname(path))).toEqual(['agenttier.db']);
  expect(integrity(path)).toEqual(['ok']);
  expect(() => database.append(rowsOf(AUDIT_EVENT, [{}]))).toThrow('closed');
});

test('works in a directory with spaces and letters beyond ASCII', async () => {
  const path = `${temporaryPath()} ä 漢字 100%.db`;
  const database = await open(path);
  database.append(rowsOf(AUDIT_EVENT, [{}]));
  database.close();
  expect(integrity(path)).toEqual(['ok']);
});

test('proves by a trial write that leaves nothing that it could write', async () => {
  const path = temporaryPath();
  const database = await open(path);
  database.probe();
  database.close();
  const count = 'SELECT count(*) AS n FROM audit_events';
  expect(withNodeSqlite(path, (other) => other.prepare(count).get())).toEqual({ n: 0 });
});

function thrownBy(work: () => unknown): DatabaseError {
  try {
    work();
  } catch (error) {
    return error as DatabaseError;
  }
  throw new Error('nothing was thrown');
}
