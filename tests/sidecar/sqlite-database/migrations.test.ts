import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { AUDIT_EVENT, KINDS } from '../../../sidecar/src/records/kinds.ts';
import type { ListQuery } from '../../../sidecar/src/records/list.ts';
import { withNewColumns } from '../support/new-columns.ts';
import { listAll, open, rowsOf, temporaryPath, upstreamCopy, withNodeSqlite } from './harness.ts';

function meta(path: string): Record<string, unknown> {
  return withNodeSqlite(path, (other) => {
    const rows = other.prepare('SELECT key, value FROM agenttier_meta').all();
    return Object.fromEntries(rows.map(({ key, value }) => [String(key), value]));
  });
}

async function fileChangedBy(sql: string): Promise<string> {
  const path = temporaryPath();
  await open(path).then((database) => database.close());
  withNodeSqlite(path, (other) => other.exec(sql));
  return path;
}

function fileMadeBy(sql: string): string {
  const path = temporaryPath();
  withNodeSqlite(path, (other) => other.exec(sql));
  return path;
}

test('a file says which schema it has, who may write it and who wrote it last', async () => {
  const path = temporaryPath();
  await open(path, { version: '0.1.0' }).then((database) => database.close());
  expect(meta(path)).toEqual({
    schema_version: '1',
    min_writer_version: '1',
    written_by: '0.1.0',
  });
  await open(path, { version: '0.2.0' }).then((database) => database.close());
  expect(meta(path).written_by).toBe('0.2.0');
});

test('goes on writing a file of a newer schema that allows it, and leaves its version', async () => {
  const path = await fileChangedBy(`
    UPDATE agenttier_meta SET value = '7' WHERE key = 'schema_version';
    ALTER TABLE audit_events ADD COLUMN cluster TEXT;
    CREATE TABLE sandbox_images (id INTEGER PRIMARY KEY)`);
  const database = await open(path);
  database.append(rowsOf(AUDIT_EVENT, [{}]));
  database.close();
  expect(meta(path).schema_version).toBe('7');
});

test('refuses a newer file that does not allow it, names its writer and leaves it untouched', async () => {
  const path = await fileChangedBy(`
    UPDATE agenttier_meta SET value = '7' WHERE key IN ('schema_version', 'min_writer_version');
    UPDATE agenttier_meta SET value = '9.8.7' WHERE key = 'written_by'`);
  const before = readFileSync(path);
  await expect(open(path)).rejects.toMatchObject({
    class: 'transient',
    reason: expect.stringMatching(/version 9\.8\.7.*schema 7.*run version 9\.8\.7 or newer/),
  });
  expect(readFileSync(path).equals(before)).toBe(true);
});

test('refuses a version that is no number', async () => {
  const path = await fileChangedBy("UPDATE agenttier_meta SET value = 'x'");
  await expect(open(path)).rejects.toThrow('schema_version in agenttier_meta');
});

test('adds the columns and indexes that a file lacks, whatever version it claims', async () => {
  const path = await fileChangedBy(`
    DROP INDEX audit_events_by_actor;
    DROP INDEX audit_events_by_ts;
    CREATE INDEX audit_events_by_ts ON audit_events (ts DESC, action);
    ALTER TABLE sandbox_events DROP COLUMN message;
    ALTER TABLE audit_events ADD COLUMN theirs TEXT NOT NULL DEFAULT 'x'`);
  const database = await open(path);
  expect(database.migrated).toMatchObject({ from: 1, to: 1 });
  for (const kind of KINDS) database.append(rowsOf(kind, [{}]));
  database.close();
  const sql = "SELECT sql FROM sqlite_schema WHERE name = 'audit_events_by_ts'";
  expect(withNodeSqlite(path, (other) => other.prepare(sql).get())).toEqual({
    sql: 'CREATE INDEX audit_events_by_ts ON audit_events (ts)',
  });
});

test('makes its tables beside others', async () => {
  const path = fileMadeBy('CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES (1)');
  const database = await open(path);
  database.append(rowsOf(AUDIT_EVENT, [{}]));
  database.close();
  const notes = withNodeSqlite(path, (other) => other.prepare('SELECT * FROM notes').all());
  expect(notes).toEqual([{ text: '1' }]);
});

for (const [what, sql, problem] of [
  ['a view', 'CREATE VIEW audit_events AS SELECT 1 AS id', 'audit_events.*it is a view'],
  [
    'a table without a key',
    'CREATE TABLE sandbox_events (id INTEGER, ts TEXT)',
    'sandbox_events.*id is not its INTEGER PRIMARY KEY',
  ],
  [
    'a key of text',
    'CREATE TABLE sandbox_events (id TEXT PRIMARY KEY, ts TEXT)',
    'sandbox_events.*id is not its INTEGER PRIMARY KEY',
  ],
  [
    'a table without rowids',
    'CREATE TABLE cost_snapshots (id INTEGER PRIMARY KEY, ts TEXT) WITHOUT ROWID',
    'cost_snapshots.*WITHOUT ROWID',
  ],
  [
    'a table without ts',
    'CREATE TABLE cost_snapshots (id INTEGER PRIMARY KEY)',
    'cost_snapshots.*no column ts',
  ],
  [
    'a column that wants a value',
    'CREATE TABLE audit_events (id INTEGER PRIMARY KEY, ts TEXT, tenant TEXT NOT NULL)',
    'audit_events.*NOT NULL and has no default',
  ],
  [
    'a generated column',
    "CREATE TABLE audit_events (id INTEGER PRIMARY KEY, ts TEXT, actor TEXT AS ('x'))",
    'audit_events.*column actor is generated',
  ],
  [
    'a key with an index of its own',
    'CREATE TABLE audit_events (id INTEGER PRIMARY KEY DESC, ts TEXT)',
    'audit_events.*id is not its INTEGER PRIMARY KEY',
  ],
  [
    'a text that becomes a number',
    'CREATE TABLE sandbox_events (id INTEGER PRIMARY KEY, ts TEXT, sandbox_id STRING)',
    'sandbox_events.*column sandbox_id is string, which makes numbers of texts',
  ],
  [
    'an event_id without regard to case',
    'CREATE TABLE audit_events (id INTEGER PRIMARY KEY, ts TEXT, event_id TEXT COLLATE NOCASE)',
    'audit_events.*column event_id takes different texts for equal',
  ],
  [
    'an event_id that stands twice',
    `CREATE TABLE audit_events (id INTEGER PRIMARY KEY, ts TEXT, event_id TEXT);
     INSERT INTO audit_events (ts, event_id) VALUES ('', 'e'), ('', 'e')`,
    'does not admit: CREATE UNIQUE INDEX audit_events_by_event_id',
  ],
  [
    'an index of a table’s name',
    'CREATE TABLE t (a); CREATE INDEX audit_events ON t (a)',
    'does not admit: CREATE TABLE audit_events',
  ],
  ['another agenttier_meta', 'CREATE TABLE agenttier_meta (a TEXT)', 'agenttier_meta.*lacks key'],
] as const) {
  test(`refuses a file with ${what} in the place of ours, and leaves it as it is`, async () => {
    const path = fileMadeBy(sql);
    const schema = () =>
      withNodeSqlite(path, (other) => other.prepare('SELECT * FROM sqlite_schema').all());
    const before = schema();
    await expect(open(path)).rejects.toMatchObject({
      class: 'transient',
      message: expect.stringMatching(new RegExp(problem)),
      hint: expect.any(String),
    });
    expect(schema()).toEqual(before);
  });
}

for (const [what, sql, problem] of [
  [
    'a trigger that writes to a table that is gone',
    `CREATE TABLE log (a); CREATE TRIGGER t AFTER INSERT ON audit_events
       BEGIN INSERT INTO log VALUES (new.actor); END; DROP TABLE log`,
    /cannot write to audit_events: no such table: main\.log; a trigger, column or constraint/,
  ],
  [
    'a column by a function that is not in this SQLite',
    'ALTER TABLE cost_snapshots ADD COLUMN day TEXT AS (theirs(ts))',
    /cannot write to cost_snapshots: unknown function: theirs\(\); a trigger, column or constraint/,
  ],
] as const) {
  test(`says by SQLite’s own words that ${what} is in the way, and what to do`, async () => {
    const path = temporaryPath();
    await open(path).then((database) => database.close());
    withNodeSqlite(path, (other) => {
      other.function('theirs', { deterministic: true }, (value) => value);
      other.exec(sql);
    });
    await expect(open(path)).rejects.toMatchObject({
      class: 'transient',
      reason: expect.stringMatching(problem),
    });
  });
}

test('says so too where a file cannot be adopted for it, and leaves the file as it is', async () => {
  const path = upstreamCopy();
  withNodeSqlite(path, (other) =>
    other.exec(`CREATE TABLE log (a); CREATE TRIGGER t AFTER UPDATE ON sandbox_events
                BEGIN INSERT INTO log VALUES (new.id); END; DROP TABLE log`),
  );
  const schema = () =>
    withNodeSqlite(path, (other) => other.prepare('SELECT * FROM sqlite_schema').all());
  const before = schema();
  await expect(open(path)).rejects.toMatchObject({
    class: 'transient',
    reason: expect.stringMatching(/sandbox_events.*no such table: main\.log; /),
  });
  expect(schema()).toEqual(before);
});

test('a file of upstream’s stays one that an older sidecar and upstream’s reader understand', async () => {
  const path = upstreamCopy();
  await open(path).then((database) => database.close());
  const upstreamsQuery = `SELECT id, ts, actor, action, resource, sandbox_id, details
    FROM audit_events WHERE actor = 'user-1@example.com' ORDER BY ts DESC LIMIT 5`;
  expect(withNodeSqlite(path, (other) => other.prepare(upstreamsQuery).all())).toHaveLength(5);
});

const AUDITS: ListQuery = { kind: AUDIT_EVENT, filters: new Map(), order: 'asc', limit: 100 };

test('columns of a newer version are added, and the older one goes on writing', async () => {
  const path = temporaryPath();
  await open(path).then((database) => {
    database.append(rowsOf(AUDIT_EVENT, [{ event_id: 'before' }]));
    database.close();
  });
  await withNewColumns(async () => {
    const database = await open(path);
    database.append(rowsOf(AUDIT_EVENT, [{ event_id: 'with', trace: 't1', seconds: 2.5 }]));
    expect(
      listAll(database, AUDITS).map(({ event_id, trace, seconds }) => [event_id, trace, seconds]),
    ).toEqual([
      ['before', '', 0],
      ['with', 't1', 2.5],
    ]);
    database.close();
  });
  const database = await open(path);
  database.append(rowsOf(AUDIT_EVENT, [{ event_id: 'after' }]));
  expect(listAll(database, AUDITS).map(({ event_id }) => event_id)).toEqual([
    'before',
    'with',
    'after',
  ]);
  database.close();
});
