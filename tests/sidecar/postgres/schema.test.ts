import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import { STEPS, type StepContext } from '../../../sidecar/src/stores/postgres/schema.ts';
import type { Step } from '../../../sidecar/src/stores/server/migrations.ts';
import { ADDING, withNewColumns } from '../support/new-columns.ts';
import { PASSWORD, PostgresServer } from '../support/postgres-server.ts';
import { storeAt } from '../support/postgres-store.ts';
import { audits, eventIds, listAll, rowsOf } from './records.ts';

let server: PostgresServer;
let database: string;
beforeAll(async () => {
  server = await PostgresServer.start({ settings: { log_statement: 'ddl' } });
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(async () => {
  database = await server.createDatabase();
});

const soon = () => AbortSignal.timeout(5_000);

async function meta(): Promise<Record<string, string>> {
  const rows = await server.query('SELECT key, value FROM agenttier_meta', database);
  return Object.fromEntries(rows.map(({ key, value }) => [key, value]));
}

/** A next version of the schema, for builds that are to come. */
function nextStep(minWriter: number): readonly Step<StepContext>[] {
  const step: Step<StepContext> = {
    version: 2,
    minWriter,
    async run({ session, names }) {
      const table = names.table('audit_events');
      await session.query(`ALTER TABLE ${table} ADD COLUMN trace TEXT`, [], 5_000);
    },
  };
  return [...STEPS, step];
}

it('lets one of three that start at once on an empty database migrate, and all run', async () => {
  const stores = [1, 2, 3].map(() => storeAt(server.dsn(database)));
  try {
    await Promise.all(stores.map((store) => store.open()));
    await Promise.all(stores.map((store, i) => store.append(audits(`e${i}`))));
    expect((await eventIds(stores[0]!)).sort()).toEqual(['e0', 'e1', 'e2']);
    expect(await meta()).toEqual({
      schema_version: '1',
      min_writer_version: '1',
      written_by: '0.0.0-test',
    });
    expect(server.log.match(/CREATE TABLE audit_events/g)).toHaveLength(1);
  } finally {
    await Promise.all(stores.map((store) => store.close(soon())));
  }
});

it('lets them start at once however their looks and commits interleave', async () => {
  for (let round = 0; round < 10; round++) {
    const fresh = await server.createDatabase();
    const stores = [1, 2, 3, 4].map(() => storeAt(server.dsn(fresh)));
    await Promise.all(stores.map((store) => store.open()));
    await Promise.all(stores.map((store) => store.close(soon())));
  }
});

it('begins from the same state when its migration was killed half way', async () => {
  const broken: Step<StepContext> = {
    version: 2,
    minWriter: 1,
    async run({ session, names }) {
      await session.query(`ALTER TABLE ${names.table('audit_events')} ADD trace TEXT`, [], 5_000);
      await server.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()',
        'postgres',
        [database],
      );
      await session.query('SELECT 1', [], 5_000);
    },
  };
  const first = storeAt(server.dsn(database), { steps: [...STEPS, broken] });
  await expect(first.open()).rejects.toThrow(/create the tables/);
  await first.close(soon());
  expect(await server.query("SELECT to_regclass('audit_events') AS t", database)).toEqual([
    { t: null },
  ]);
  const second = storeAt(server.dsn(database));
  await second.open();
  await second.append(audits('a'));
  await second.close(soon());
});

describe('columns of a newer version', () => {
  it('are added to tables that are there, whose old writers and rows go on', async () => {
    const old = storeAt(server.dsn(database), { version: '1.0.0' });
    await old.open();
    await old.append(audits('before'));
    await withNewColumns(async () => {
      const young = storeAt(server.dsn(database), { version: '2.0.0', steps: [...STEPS, ADDING] });
      await young.open();
      expect(young.warnings?.()).toContainEqual(
        expect.stringContaining('CREATE INDEX CONCURRENTLY ON audit_events (trace, ts, id)'),
      );
      await young.append(rowsOf(AUDIT_EVENT, { event_id: 'with', trace: 't1', seconds: 2.5 }));
      const { items } = await listAll(young);
      expect(items.map(({ event_id, trace, seconds }) => [event_id, trace, seconds])).toEqual([
        ['before', '', 0],
        ['with', 't1', 2.5],
      ]);
      const traced = await listAll(young, { filters: new Map([['trace', ['t1']]]) });
      expect(traced.items).toHaveLength(1);
      await young.close(soon());
    });
    await old.append(audits('after'));
    expect(await eventIds(old)).toEqual(['before', 'with', 'after']);
    expect(await meta()).toMatchObject({ schema_version: '2', written_by: '2.0.0' });
    await old.close(soon());
  });

  it('stand in new tables from the beginning', async () => {
    await withNewColumns(async () => {
      const store = storeAt(server.dsn(database), { steps: [...STEPS, ADDING] });
      await store.open();
      await store.append(rowsOf(AUDIT_EVENT, { trace: 't1' }));
      expect((await listAll(store)).items).toMatchObject([{ trace: 't1' }]);
      await store.close(soon());
    });
  });

  it('are asked of the owner by whoever may not add them, and nothing is changed', async () => {
    const owner = storeAt(server.dsn(database));
    await owner.open();
    await owner.close(soon());
    const role = `role_${database}`;
    await server.createRole(role);
    await server.query(
      `GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO ${role};
       GRANT UPDATE ON agenttier_meta TO ${role}`,
      database,
    );
    await withNewColumns(async () => {
      const store = storeAt(server.dsn(database, { user: role }), { steps: [...STEPS, ADDING] });
      await expect(store.open()).rejects.toMatchObject({
        message: expect.stringContaining('insufficient privilege'),
        hint: expect.stringContaining("with another role's DSN first"),
      });
      await store.close(soon());
    });
    expect(await meta()).toMatchObject({ schema_version: '1' });
  });

  it('may not be missing where no step is due: somebody took them away', async () => {
    const store = storeAt(server.dsn(database));
    await store.open();
    await store.close(soon());
    await server.query('ALTER TABLE audit_events DROP COLUMN details', database);
    const again = storeAt(server.dsn(database));
    await expect(again.open()).rejects.toThrow('it has no column details');
    await again.close(soon());
  });
});

describe('in a rolling upgrade', () => {
  it('old and new go on writing side by side where the new schema admits the old', async () => {
    const old = storeAt(server.dsn(database), { version: '1.0.0' });
    await old.open();
    const young = storeAt(server.dsn(database), { version: '2.0.0', steps: nextStep(1) });
    await young.open();
    await old.append(audits('old'));
    await young.append(audits('young'));
    // One more of the old, as when a node restarts it in the middle.
    const late = storeAt(server.dsn(database), { version: '1.0.0' });
    await late.open();
    await late.append(audits('late'));
    expect(await eventIds(old)).toEqual(['old', 'young', 'late']);
    expect(await meta()).toMatchObject({ schema_version: '2', written_by: '2.0.0' });
    for (const store of [old, young, late]) await store.close(soon());
  });

  it('refuses an old one that the new schema does not admit, naming the version', async () => {
    const young = storeAt(server.dsn(database), { version: '2.0.0', steps: nextStep(2) });
    await young.open();
    await young.close(soon());
    const old = storeAt(server.dsn(database), { version: '1.0.0' });
    await expect(old.open()).rejects.toMatchObject({
      class: 'transient',
      message: expect.stringContaining('version 2.0.0 of the sidecar and asks for schema 2'),
      hint: 'run version 2.0.0 or newer',
    });
    await old.close(soon());
  });

  it('waits for the one that migrates, and does nothing when that is done', async () => {
    const client = await server.client(database);
    await client.query('BEGIN');
    await client.query('SELECT pg_advisory_xact_lock(7002653041946227315)');
    const store = storeAt(server.dsn(database));
    let opened = false;
    const opening = store.open().then(() => {
      opened = true;
    });
    await sleep(500);
    expect(opened).toBe(false);
    await client.query('COMMIT');
    await opening;
    await client.end();
    await store.close(soon());
  });

  it('does not wait for ever for one that is lost without a word', async () => {
    let silence: string | null | undefined;
    const given = new AbortController();
    const step: Step<StepContext> = {
      version: 2,
      minWriter: 1,
      async run({ session, names }) {
        const asked = await session.query('SHOW idle_in_transaction_session_timeout', [], 5_000);
        silence = asked[0]?.[0];
        await session.query(`ALTER TABLE ${names.table('audit_events')} ADD x TEXT`, [], 5_000);
        // A minute is long for a test. Then as a node whose power is cut: it says nothing more.
        await session.query("SET LOCAL idle_in_transaction_session_timeout = '1s'", [], 5_000);
        await sleep(600_000, undefined, { signal: given.signal });
      },
    };
    const lost = storeAt(server.dsn(database), { steps: [...STEPS, step] });
    const failed = lost.open().catch((error: Error) => error);
    await expect.poll(() => silence).toBe('1min');
    const other = storeAt(server.dsn(database));
    await other.open();
    await other.append(audits('a'));
    given.abort();
    expect(await failed).toBeInstanceOf(Error);
    for (const store of [lost, other]) await store.close(soon());
  });

  it('is right without the advisory lock too, as on engines that lack it', async () => {
    // A function of that name that always says yes goes before the server's own.
    await server.query(
      "CREATE SCHEMA shim; CREATE FUNCTION shim.pg_try_advisory_xact_lock(bigint) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
      database,
    );
    await server.query(
      `ALTER DATABASE ${database} SET search_path = public, shim, pg_catalog`,
      database,
    );
    const stores = [1, 2, 3, 4].map(() => storeAt(server.dsn(database)));
    const open = async (store: (typeof stores)[number]) => {
      for (;;) {
        const failed = await store.open().then(
          () => false,
          () => true,
        );
        if (!failed) return;
        await sleep(20);
      }
    };
    await Promise.all(stores.map(open));
    await Promise.all(stores.map((store, i) => store.append(audits(`e${i}`))));
    expect(await eventIds(stores[0]!)).toHaveLength(4);
    for (const store of stores) await store.close(soon());
  });
});

it('puts its tables into the schema that the DSN names', async () => {
  await server.query('CREATE SCHEMA "Team A"', database);
  const store = storeAt(
    server.dsn(database, { query: 'sslmode=disable&search_path=%22Team%20A%22' }),
  );
  await store.open();
  await store.append(audits('a'));
  expect(await eventIds(store)).toEqual(['a']);
  await store.probe?.();
  await store.close(soon());
  expect(await server.query('SELECT event_id FROM "Team A".audit_events', database)).toEqual([
    { event_id: 'a' },
  ]);
});

it('finds the schema that a name without quotes means to the server', async () => {
  await server.query('CREATE SCHEMA ÄRZTE', database);
  const path = encodeURIComponent('ÄRZTE');
  const store = storeAt(server.dsn(database, { query: `sslmode=disable&search_path=${path}` }));
  await store.open();
  await store.close(soon());
  expect(
    await server.query(`SELECT to_regclass('ÄRZTE.audit_events') IS NULL AS missing`, database),
  ).toEqual([{ missing: false }]);
});

describe('rights', () => {
  let role: string;
  beforeEach(async () => {
    role = `role_${database}`;
    await server.createRole(role);
  });

  it('says how to let a role create the tables that are not there', async () => {
    const store = storeAt(server.dsn(database, { user: role }));
    await expect(store.open()).rejects.toMatchObject({
      message: expect.stringContaining('cannot create the tables: insufficient privilege'),
      hint: expect.stringContaining('GRANT CREATE ON SCHEMA'),
    });
    await store.close(soon());
  });

  it('is content with INSERT and SELECT on a database that has been migrated', async () => {
    const owner = storeAt(server.dsn(database));
    await owner.open();
    await owner.close(soon());
    const store = storeAt(server.dsn(database, { user: role }));
    await expect(store.open()).rejects.toMatchObject({
      hint: expect.stringContaining('GRANT SELECT ON agenttier_meta'),
    });
    await server.query(`GRANT SELECT ON agenttier_meta TO ${role}`, database);
    // The message names every GRANT, and following it is all there is to do.
    const refusal = await store.open().then(
      () => undefined,
      (error: { hint: string }) => error.hint,
    );
    expect(refusal).toContain(`GRANT SELECT, INSERT ON audit_events TO "${role}"`);
    expect(refusal).toContain(`GRANT USAGE ON SEQUENCE public.audit_events_id_seq TO "${role}"`);
    for (const grant of String(refusal).split('; ')) await server.query(grant, database);
    await store.open();
    await store.append(audits('a'));
    await store.append(audits('a'));
    await store.probe?.();
    expect(await eventIds(store)).toEqual(['a']);
    await store.close(soon());
  });

  it('names a right that is taken away while it runs', async () => {
    await server.query(`GRANT CREATE ON SCHEMA public TO ${role}`, database);
    const store = storeAt(server.dsn(database, { user: role }));
    await store.open();
    await server.query(`REVOKE INSERT ON audit_events FROM ${role}`, database);
    await expect(store.append(audits('a'))).rejects.toMatchObject({
      class: 'transient',
      message: expect.stringContaining('42501'),
    });
    await expect(store.open()).rejects.toMatchObject({
      hint: `GRANT INSERT ON audit_events TO "${role}"`,
    });
    await store.close(soon());
  });

  it('says what is missing where the role or its password is wrong', async () => {
    const wrong = server
      .dsn(database, { user: role })
      .replace(encodeURIComponent(PASSWORD), 'hunter2');
    const store = storeAt(wrong);
    const error = await store.open().catch((caught: Error) => caught);
    expect(error).toMatchObject({ message: expect.stringContaining('28P01') });
    expect(inspect(error, { depth: 10 })).not.toContain('hunter2');
    await store.close(soon());
  });
});

describe('tables of the same names that are not ours', () => {
  /** As a fork of the Go code makes them. */
  const FOREIGN = `
    CREATE TABLE audit_events (id BIGSERIAL PRIMARY KEY, ts TEXT NOT NULL, actor TEXT, action TEXT,
      resource TEXT, sandbox_id TEXT, details TEXT);
    CREATE TABLE sandbox_events (id BIGSERIAL PRIMARY KEY, ts TEXT NOT NULL, sandbox_id TEXT,
      sandbox_name TEXT, namespace TEXT, phase TEXT, reason TEXT, message TEXT);
    CREATE TABLE cost_snapshots (id BIGSERIAL PRIMARY KEY, ts TEXT NOT NULL, sandbox_id TEXT,
      namespace TEXT, cpu_hours DOUBLE PRECISION, mem_gb_hours DOUBLE PRECISION,
      estimated_usd DOUBLE PRECISION);
    INSERT INTO audit_events (ts, actor, action) VALUES
      ('2026-11-23T09:41:46.5Z', 'ana', 'create'), ('2026-11-23T09:41:46Z', 'bob', 'stop'),
      ('2026-11-23T09:41:46.123456789Z', 'ana', 'delete');`;

  it('are refused with the reason', async () => {
    await server.query(FOREIGN, database);
    const store = storeAt(server.dsn(database));
    await expect(store.open()).rejects.toMatchObject({
      message:
        'the table audit_events in this database cannot be used: its column ts is not ordered by bytes',
      hint: expect.stringContaining('docs/databases.md'),
    });
    await store.close(soon());
    expect(await server.query("SELECT to_regclass('agenttier_meta') AS t", database)).toEqual([
      { t: null },
    ]);
  });

  it('are taken over once they are converted', async () => {
    await server.query(FOREIGN, database);
    await server.query(CONVERSION, database);
    for (const sql of CONVERSION_INDEXES) await server.query(sql, database);
    const store = storeAt(server.dsn(database));
    await store.open();
    expect(store.warnings?.().filter((warning) => warning.includes('index'))).toEqual([]);
    await store.append(audits('new'));
    const page = await store.list({
      kind: AUDIT_EVENT,
      filters: new Map(),
      order: 'asc',
      limit: 10,
    });
    expect(page.items.map(({ ts, event_id }) => [ts, event_id])).toEqual([
      ['2026-11-23T09:41:46.000000000Z', null],
      ['2026-11-23T09:41:46.123456789Z', null],
      ['2026-11-23T09:41:46.500000000Z', null],
      ['2026-11-23T09:41:46.610360000Z', 'new'],
    ]);
    await store.close(soon());
  });

  it.each([
    ['a view', 'CREATE VIEW audit_events AS SELECT 1 AS id', 'it is no table'],
    ['no id', 'CREATE TABLE audit_events (ts TEXT)', 'it has no numeric id'],
    [
      'times of another type',
      'CREATE TABLE audit_events (id BIGSERIAL PRIMARY KEY, ts TIMESTAMPTZ)',
      'its column ts is timestamp with time zone',
    ],
    [
      'an id without a sequence',
      'CREATE TABLE audit_events (id BIGINT PRIMARY KEY)',
      'its id has no sequence',
    ],
    [
      'one that a crash empties',
      'CREATE UNLOGGED TABLE audit_events (id BIGSERIAL PRIMARY KEY)',
      'it or a partition of it is UNLOGGED',
    ],
    [
      'one with a partition that a crash empties',
      `CREATE TABLE audit_events (id BIGSERIAL, event_id TEXT) PARTITION BY HASH (event_id);
      CREATE UNLOGGED TABLE audit_0 PARTITION OF audit_events FOR VALUES WITH (MODULUS 1, REMAINDER 0)`,
      'it or a partition of it is UNLOGGED',
    ],
    [
      'times that may be absent',
      'CREATE TABLE audit_events (id BIGSERIAL PRIMARY KEY, ts TEXT COLLATE "C")',
      'its column ts may be NULL',
    ],
    [
      'times that have no room',
      'CREATE TABLE audit_events (id BIGSERIAL PRIMARY KEY, ts VARCHAR(29) COLLATE "C")',
      'its column ts is character varying(29), and a record may take 30',
    ],
    [
      'texts that have no room',
      `CREATE TABLE audit_events (id BIGSERIAL PRIMARY KEY, ts VARCHAR(30) COLLATE "C" NOT NULL,
        actor VARCHAR(1023))`,
      'its column actor is character varying(1023), and a record may take 1024',
    ],
    [
      'event ids that have no room',
      `CREATE TABLE audit_events (id BIGSERIAL PRIMARY KEY, ts TEXT COLLATE "C" NOT NULL, actor VARCHAR,
        action VARCHAR(1024), resource TEXT, sandbox_id TEXT, details VARCHAR(65535),
        event_id VARCHAR(127))`,
      'its column event_id is character varying(127), and a record may take 128',
    ],
    [
      'event ids that are compared as late as at the commit',
      `CREATE TABLE audit_events (id BIGSERIAL PRIMARY KEY, ts TEXT COLLATE "C" NOT NULL, actor TEXT,
        action TEXT, resource TEXT, sandbox_id TEXT, details TEXT,
        event_id TEXT UNIQUE CONSTRAINT late UNIQUE DEFERRABLE)`,
      'the unique constraint late on event_id is DEFERRABLE',
    ],
  ])('are refused: %s', async (_, sql, why) => {
    await server.query(sql, database);
    const store = storeAt(server.dsn(database));
    await expect(store.open()).rejects.toThrow(why);
    await store.close(soon());
  });
});

it('takes tables whose texts have just the room that records need', async () => {
  await server.query(
    `CREATE TABLE audit_events (id BIGSERIAL PRIMARY KEY, ts VARCHAR(30) COLLATE "C" NOT NULL,
      actor VARCHAR(1024), action VARCHAR, resource TEXT, sandbox_id VARCHAR(2000),
      details VARCHAR(65535), event_id VARCHAR(128) UNIQUE)`,
    database,
  );
  const store = storeAt(server.dsn(database));
  await store.open();
  const texts = { actor: 'a'.repeat(1_024), details: 'é'.repeat(32_767) };
  await store.append(rowsOf(AUDIT_EVENT, { ...texts, event_id: 'e'.repeat(128) }));
  expect(await eventIds(store)).toEqual(['e'.repeat(128)]);
  await store.close(soon());
});

it('knows its tables where the server quotes all names', async () => {
  await server.query(`ALTER DATABASE ${database} SET quote_all_identifiers = on`);
  for (const id of ['a', 'b']) {
    // The first makes the tables, the second finds them.
    const store = storeAt(server.dsn(database));
    await store.open();
    await store.append(audits(id));
    await store.close(soon());
  }
});

it('tells which index is missing, and works without it', async () => {
  const first = storeAt(server.dsn(database));
  await first.open();
  await first.close(soon());
  await server.query('DROP INDEX audit_events_actor_ts_id_idx', database);
  const store = storeAt(server.dsn(database));
  await store.open();
  const [warning] = (store.warnings?.() ?? []).filter((text) => text.includes('no index'));
  expect(warning).toMatch(
    /lists by actor.*CREATE INDEX CONCURRENTLY ON audit_events \(actor, ts, id\)$/,
  );
  await store.append(audits('a'));
  await store.close(soon());
});

it('makes a table anew that somebody dropped', async () => {
  const store = storeAt(server.dsn(database));
  await store.open();
  await server.query('DROP TABLE cost_snapshots', database);
  await server.query('DROP TABLE audit_events', database);
  await expect(store.append(audits('a'))).rejects.toMatchObject({
    class: 'transient',
    message: expect.stringContaining('a table is missing'),
  });
  await store.open();
  await store.append(audits('a'));
  await store.close(soon());
});

it('makes a table anew that somebody renamed, as to keep a year of its own', async () => {
  const store = storeAt(server.dsn(database));
  await store.open();
  for (const year of [2025, 2026]) {
    await store.append(audits(`of ${year}`));
    await server.query(`ALTER TABLE audit_events RENAME TO audit_events_${year}`, database);
    await expect(store.append(audits('new'))).rejects.toThrow('a table is missing');
    await store.open();
    expect(store.warnings?.().filter((warning) => warning.includes('index'))).toEqual([]);
  }
  await store.append(audits('new'));
  expect(await eventIds(store)).toEqual(['new']);
  expect(await server.query('SELECT event_id FROM audit_events_2026', database)).toEqual([
    { event_id: 'of 2026' },
  ]);
  await store.close(soon());
});

/** What docs/databases.md tells to run; times in it end in Z and have four digits of a year. */
const CONVERSION = `
ALTER TABLE audit_events ALTER ts TYPE TEXT COLLATE "C", ALTER actor TYPE TEXT COLLATE "C",
  ALTER action TYPE TEXT COLLATE "C", ALTER resource TYPE TEXT COLLATE "C",
  ALTER sandbox_id TYPE TEXT COLLATE "C", ALTER details TYPE TEXT COLLATE "C",
  ADD COLUMN event_id TEXT COLLATE "C";
ALTER TABLE sandbox_events ALTER ts TYPE TEXT COLLATE "C", ALTER sandbox_id TYPE TEXT COLLATE "C",
  ALTER sandbox_name TYPE TEXT COLLATE "C", ALTER namespace TYPE TEXT COLLATE "C",
  ALTER phase TYPE TEXT COLLATE "C", ALTER reason TYPE TEXT COLLATE "C",
  ALTER message TYPE TEXT COLLATE "C", ADD COLUMN event_id TEXT COLLATE "C";
ALTER TABLE cost_snapshots ALTER ts TYPE TEXT COLLATE "C",
  ALTER sandbox_id TYPE TEXT COLLATE "C", ALTER namespace TYPE TEXT COLLATE "C",
  ADD COLUMN event_id TEXT COLLATE "C";
UPDATE audit_events SET ts = left(ts, 19) || '.' || rpad(substr(rtrim(ts, 'Z'), 21), 9, '0') || 'Z'
  WHERE length(ts) <> 30 AND id BETWEEN 1 AND 10000;
`;

const CONVERSION_INDEXES = [
  'CREATE UNIQUE INDEX CONCURRENTLY ON audit_events (event_id)',
  'CREATE INDEX CONCURRENTLY ON audit_events (ts, id)',
  'CREATE INDEX CONCURRENTLY ON audit_events (actor, ts, id)',
  'CREATE INDEX CONCURRENTLY ON audit_events (sandbox_id, ts, id)',
  'CREATE UNIQUE INDEX CONCURRENTLY ON sandbox_events (event_id)',
  'CREATE INDEX CONCURRENTLY ON sandbox_events (ts, id)',
  'CREATE INDEX CONCURRENTLY ON sandbox_events (sandbox_id, ts, id)',
  'CREATE UNIQUE INDEX CONCURRENTLY ON cost_snapshots (event_id)',
  'CREATE INDEX CONCURRENTLY ON cost_snapshots (ts, id)',
  'CREATE INDEX CONCURRENTLY ON cost_snapshots (sandbox_id, ts, id)',
];
