import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AUDIT_EVENT, KINDS } from '../../../sidecar/src/records/kinds.ts';
import { STEPS } from '../../../sidecar/src/stores/mysql/migrate.ts';
import type { Store } from '../../../sidecar/src/stores/store.ts';
import { type MariadbServer, query, startMariadb } from '../support/mariadb-server.ts';
import { ADDING, withNewColumns } from '../support/new-columns.ts';
import { readAll, rowsOf, storeOn } from './harness.ts';

let server: MariadbServer;
let database: string;
beforeAll(async () => {
  server = await startMariadb();
});
afterAll(() => server[Symbol.asyncDispose]());

async function fresh(): Promise<string> {
  database = await server.createDatabase();
  return server.dsn(database);
}

/** What a program in Go would have made: TEXT everywhere, times trimmed, no event_id. */
const FOREIGN = `
  CREATE TABLE audit_events (id BIGINT AUTO_INCREMENT PRIMARY KEY, ts TEXT NOT NULL, actor TEXT,
    action TEXT, resource TEXT, sandbox_id TEXT, details TEXT) DEFAULT CHARSET utf8mb4;
  CREATE TABLE sandbox_events (id BIGINT AUTO_INCREMENT PRIMARY KEY, ts TEXT NOT NULL,
    sandbox_id TEXT, sandbox_name TEXT, namespace TEXT, phase TEXT, reason TEXT, message TEXT)
    DEFAULT CHARSET utf8mb4;
  CREATE TABLE cost_snapshots (id BIGINT AUTO_INCREMENT PRIMARY KEY, ts TEXT NOT NULL,
    sandbox_id TEXT, namespace TEXT, cpu_hours DOUBLE, mem_gb_hours DOUBLE, estimated_usd DOUBLE)
    DEFAULT CHARSET utf8mb4;
  INSERT INTO audit_events (ts, actor, action, resource, sandbox_id, details) VALUES
    ('2026-11-23T09:41:46.5Z', 'Ana', 'create', 'sandbox', 'sbx-1', NULL),
    ('2026-11-23T09:41:46Z', 'ana ', 'stop', 'sandbox', NULL, 'x'),
    ('2026-11-23T09:41:46.51Z', 'ana', 'stop', 'sandbox', 'sbx-1', 'x');`;

const T = 'CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL';
const A = 'CHARACTER SET ascii COLLATE ascii_bin';
const COMMON = (table: string) =>
  `MODIFY ts VARCHAR(30) ${A} NOT NULL, ADD event_id VARCHAR(128) ${A} NULL,
   ADD UNIQUE KEY ${table}_by_event_id (event_id)`;
const texts = (...names: string[]) => names.map((name) => `MODIFY ${name} TEXT ${T}`).join(', ');

/** The statements of docs/databases.md. */
const CONVERT = [
  ...KINDS.map(
    ({ table }) => `
      UPDATE ${table} SET ts = CONCAT(SUBSTRING(ts, 1, 19), '.', RPAD(
        IF(SUBSTRING(ts, 20, 1) = '.', SUBSTRING(ts, 21, CHAR_LENGTH(ts) - 21), ''), 9, '0'), 'Z')
      WHERE id BETWEEN 1 AND 10000 AND ts LIKE '%Z' AND CHAR_LENGTH(ts) <> 30`,
  ),
  `ALTER TABLE audit_events ENGINE = InnoDB, ${COMMON('audit_events')},
    ${texts('actor', 'action', 'resource', 'sandbox_id')}, MODIFY details MEDIUMTEXT ${T}`,
  `ALTER TABLE sandbox_events ENGINE = InnoDB, ${COMMON('sandbox_events')},
    ${texts('sandbox_id', 'sandbox_name', 'namespace', 'phase', 'reason')},
    MODIFY message MEDIUMTEXT ${T}`,
  `ALTER TABLE cost_snapshots ENGINE = InnoDB, ${COMMON('cost_snapshots')},
    ${texts('sandbox_id', 'namespace')}`,
];

describe('migrations', () => {
  it('lets one of three that start at once migrate, and all three write', async () => {
    const dsn = await fresh();
    const stores = [storeOn(dsn), storeOn(dsn), storeOn(dsn)];
    try {
      await Promise.all(stores.map((store) => store.open()));
      await Promise.all(stores.map((store) => store.append(rowsOf(AUDIT_EVENT, 100))));
      expect(await readAll(stores[0]!)).toHaveLength(300);
      const meta = await server.sql('SELECT * FROM agenttier_meta ORDER BY `key`', database);
      expect(meta).toEqual([
        { key: 'min_writer_version', value: '1' },
        { key: 'schema_version', value: '1' },
        { key: 'written_by', value: '0.0.0-test' },
      ]);
    } finally {
      for (const store of stores) await store[Symbol.asyncDispose]();
    }
  });

  it('gives texts a binary collation without padding, and says so to whoever looks', async () => {
    await using store = storeOn(await fresh());
    await store.open();
    const columns = await server.sql(
      `SELECT column_name AS name, column_type AS type, collation_name AS collation
        FROM information_schema.columns
        WHERE table_schema = '${database}' AND table_name = 'audit_events' ORDER BY ordinal_position`,
    );
    const text = { type: 'text', collation: 'utf8mb4_nopad_bin' };
    expect(columns).toEqual([
      { name: 'id', type: 'bigint(20)', collation: null },
      { name: 'ts', type: 'varchar(30)', collation: 'ascii_bin' },
      { name: 'actor', ...text },
      { name: 'action', ...text },
      { name: 'resource', ...text },
      { name: 'sandbox_id', ...text },
      { name: 'details', type: 'mediumtext', collation: 'utf8mb4_nopad_bin' },
      { name: 'event_id', type: 'varchar(128)', collation: 'ascii_bin' },
    ]);
  });

  it('refuses tables of another program, and takes them once they are converted', async () => {
    const dsn = await fresh();
    await server.sql(FOREIGN, database);
    await using store = storeOn(dsn);
    await expect(store.open()).rejects.toThrow(
      'the table audit_events in this database cannot be used: ts is not VARCHAR(30)',
    );
    expect(await server.sql("SHOW TABLES LIKE 'agenttier_meta'", database)).toEqual([]);
    for (const statement of CONVERT) await server.sql(statement, database);
    await store.open();
    expect((await readAll(store)).map(({ ts, actor, details }) => [ts, actor, details])).toEqual([
      ['2026-11-23T09:41:46.000000000Z', 'ana ', 'x'],
      ['2026-11-23T09:41:46.500000000Z', 'Ana', ''],
      ['2026-11-23T09:41:46.510000000Z', 'ana', 'x'],
    ]);
    const empty = new Map([['sandbox_id', ['']]]);
    expect(await readAll(store, { filters: empty })).toHaveLength(1);
    expect(await store.append(rowsOf(AUDIT_EVENT, 3))).toEqual({ duplicates: [] });
  });

  it('refuses a table whose times may be absent, at which lists would end', async () => {
    const dsn = await fresh();
    await using store = storeOn(dsn);
    await store.open();
    await server.sql(`ALTER TABLE audit_events MODIFY ts VARCHAR(30) ${A} NULL`, database);
    await using next = storeOn(dsn);
    await expect(next.open()).rejects.toThrow('ts may be NULL');
  });

  it('refuses a table with another unique index, which would swallow records', async () => {
    const dsn = await fresh();
    await using store = storeOn(dsn);
    await store.open();
    await server.sql('CREATE UNIQUE INDEX one ON audit_events (actor(20))', database);
    await using next = storeOn(dsn);
    await expect(next.open()).rejects.toThrow('a unique index on something else than event_id');
  });

  it('makes an index anew that somebody dropped', async () => {
    const dsn = await fresh();
    await using store = storeOn(dsn);
    await store.open();
    await server.sql('DROP INDEX audit_events_by_actor ON audit_events', database);
    await using next = storeOn(dsn);
    await next.open();
    expect(await readAll(next, { filters: new Map([['actor', ['x']]]) })).toEqual([]);
  });

  it('waits while another migrates, and finds its work done', async () => {
    const dsn = await fresh();
    await using first = storeOn(dsn);
    await first.open();
    await server.sql(
      "UPDATE agenttier_meta SET value = '0' WHERE `key` = 'schema_version'",
      database,
    );
    const other = server.connect(database);
    try {
      await query(
        other,
        "START TRANSACTION; SELECT * FROM agenttier_meta WHERE `key` = 'schema_version' FOR UPDATE",
      );
      await using store = storeOn(dsn, { version: '2.0.0' });
      let isOpen = false;
      const opening = store.open().then(() => {
        isOpen = true;
      });
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(isOpen).toBe(false);
      await query(
        other,
        "UPDATE agenttier_meta SET value = '1' WHERE `key` = 'schema_version'; COMMIT",
      );
      await opening;
      const [row] = await server.sql(
        "SELECT value FROM agenttier_meta WHERE `key` = 'written_by'",
        database,
      );
      expect(row).toEqual({ value: '0.0.0-test' });
    } finally {
      other.destroy();
    }
  });

  it('goes on beside a newer schema that admits it, and refuses one that does not', async () => {
    const dsn = await fresh();
    await using store = storeOn(dsn);
    await store.open();
    await server.sql(
      `ALTER TABLE audit_events ADD severity TEXT NULL;
       UPDATE agenttier_meta SET value = '2' WHERE \`key\` = 'schema_version';
       UPDATE agenttier_meta SET value = '9.1.0' WHERE \`key\` = 'written_by'`,
      database,
    );
    await using beside = storeOn(dsn);
    await beside.open();
    expect(await beside.append(rowsOf(AUDIT_EVENT, 2))).toEqual({ duplicates: [] });
    await server.sql("UPDATE agenttier_meta SET value = '2' WHERE `key` LIKE 'min%'", database);
    await using old = storeOn(dsn);
    await expect(old.open()).rejects.toThrow('migrated by version 9.1.0 of the sidecar');
  });
});

describe('columns of a newer version', () => {
  const young = (dsn: string) => storeOn(dsn, { version: '2.0.0', steps: [...STEPS, ADDING] });

  it('are added to tables that are there, whose old writers and rows go on', async () => {
    const dsn = await fresh();
    await using old = storeOn(dsn);
    await old.open();
    await old.append(rowsOf(AUDIT_EVENT, 1, () => ({ event_id: 'before' })));
    await withNewColumns(async () => {
      await using store = young(dsn);
      await store.open();
      const record = { event_id: 'with', trace: 't1', seconds: 2.5 };
      await store.append(rowsOf(AUDIT_EVENT, 1, () => record));
      const items = await readAll(store);
      expect(items.map(({ event_id, trace, seconds }) => [event_id, trace, seconds])).toEqual([
        ['before', '', 0],
        ['with', 't1', 2.5],
      ]);
      expect(await readAll(store, { filters: new Map([['trace', ['t1']]]) })).toHaveLength(1);
    });
    expect(
      await server.sql("SHOW INDEX FROM audit_events WHERE Key_name LIKE '%trace'", database),
    ).toHaveLength(3);
    await old.append(rowsOf(AUDIT_EVENT, 1, () => ({ event_id: 'after' })));
    expect((await readAll(old)).map(({ event_id }) => event_id)).toEqual([
      'before',
      'with',
      'after',
    ]);
    expect(
      await server.sql("SELECT value FROM agenttier_meta WHERE `key` = 'schema_version'", database),
    ).toEqual([{ value: '2' }]);
  });

  it('stand in new tables from the beginning', async () => {
    const dsn = await fresh();
    await withNewColumns(async () => {
      await using store = young(dsn);
      await store.open();
      await store.append(rowsOf(AUDIT_EVENT, 1, () => ({ trace: 't1' })));
      expect(await readAll(store)).toMatchObject([{ trace: 't1' }]);
    });
  });

  it('may not be missing where no step is due: somebody took them away', async () => {
    const dsn = await fresh();
    await using store = storeOn(dsn);
    await store.open();
    await server.sql('ALTER TABLE audit_events DROP COLUMN details', database);
    await using again = storeOn(dsn);
    await expect(again.open()).rejects.toThrow('it has no column details');
  });
});

describe('rights', () => {
  it('are enough on a migrated schema with SELECT, INSERT and UPDATE', async () => {
    const dsn = await fresh();
    await using owner = storeOn(dsn);
    await owner.open();
    await server.sql(
      `CREATE USER least@'%' IDENTIFIED BY 'pw';
       GRANT SELECT, INSERT, UPDATE ON ${database}.* TO least@'%'`,
    );
    await using store = storeOn(server.dsn(database, 'least:pw'), { version: '3.0.0' });
    await store.open();
    await store.probe?.();
    const rows = rowsOf(AUDIT_EVENT, 3);
    await store.append({ ...rows, bytes: Buffer.from(rows.bytes) });
    expect(await store.append(rows)).toEqual({ duplicates: [0, 1, 2] });
    expect(await readAll(store)).toHaveLength(3);
  });

  it('are named where one is missing', async () => {
    const dsn = await fresh();
    await using owner = storeOn(dsn);
    await owner.open();
    await server.sql(
      `CREATE USER reader@'%' IDENTIFIED BY 'pw'; GRANT SELECT ON ${database}.* TO reader@'%'`,
    );
    await using store = storeOn(server.dsn(database, 'reader:pw'));
    await store.open();
    await expect(store.append(rowsOf(AUDIT_EVENT, 1))).rejects.toMatchObject({
      class: 'transient',
      reason: expect.stringMatching(/the right to .*INSERT.* is missing .*GRANT SELECT, INSERT/),
    });
  });

  it('may be too few for an index that somebody dropped: then records go on, and so do lists', async () => {
    const dsn = await fresh();
    await using owner = storeOn(dsn);
    await owner.open();
    await server.sql(
      `CREATE USER strict@'%' IDENTIFIED BY 'pw';
       GRANT SELECT, INSERT, UPDATE ON ${database}.* TO strict@'%'`,
    );
    const strict = server.dsn(database, 'strict:pw');
    await using running = storeOn(strict);
    await running.open();
    const of = (actor: string) =>
      ({ order: 'desc', filters: new Map([['actor', [actor]]]) }) as const;
    const expectLists = async (store: Store, count: number) => {
      expect(await readAll(store)).toHaveLength(count);
      expect(await readAll(store, { ...of('a1'), limit: 3 })).toHaveLength(count / 2);
      expect(await readAll(store, of('nobody'))).toEqual([]);
    };
    const rows = () => rowsOf(AUDIT_EVENT, 10, (i) => ({ actor: `a${i % 2}` }));
    await running.append(rows());

    let stored = 10;
    for (const column of ['actor', 'ts']) {
      await server.sql(`DROP INDEX audit_events_by_${column} ON audit_events`, database);
      await expectLists(running, stored);
      await using store = storeOn(strict, { version: '4.0.0' });
      await store.open();
      expect(store.warnings?.()).toContainEqual(
        expect.stringMatching(
          new RegExp(`audit_events_by_${column} is missing, .* ADD KEY audit_events_by_${column} `),
        ),
      );
      await store.append(rows());
      stored += 10;
      await expectLists(store, stored);
      const migrated = await server.sql(
        "SELECT value FROM agenttier_meta WHERE `key` = 'written_by'",
        database,
      );
      expect(migrated).toEqual([{ value: '0.0.0-test' }]);
    }
    await using other = storeOn(strict);
    await other.open();
    for (const warning of other.warnings?.() ?? []) {
      await server.sql(warning.slice(warning.indexOf('; ') + 2), database);
    }
    await using healed = storeOn(strict);
    await healed.open();
    expect(healed.warnings?.()).toEqual([]);
    await expectLists(healed, stored);
  });

  it('to agenttier_meta are asked for by the trial write, not first by a duplicate', async () => {
    const dsn = await fresh();
    await using owner = storeOn(dsn);
    await owner.open();
    const tables = KINDS.map(
      ({ table }) => `GRANT SELECT, INSERT, UPDATE ON ${database}.${table} TO narrow@'%';`,
    );
    await server.sql(
      `CREATE USER narrow@'%' IDENTIFIED BY 'pw'; ${tables.join(' ')}
       GRANT SELECT ON ${database}.agenttier_meta TO narrow@'%'`,
    );
    await using store = storeOn(server.dsn(database, 'narrow:pw'));
    await store.open();
    await expect(store.probe?.()).rejects.toMatchObject({
      class: 'transient',
      reason: expect.stringMatching(/cannot flush the log: the right to UPDATE is missing .*GRANT/),
    });
  });
});
