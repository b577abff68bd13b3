import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import type { Store } from '../../../sidecar/src/stores/store.ts';
import { freePort, occupyPort } from '../support/free-port.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { storeAt } from '../support/postgres-store.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { type TcpProxy, tcpProxy } from '../support/tcp-proxy.ts';
import { audits, eventIds, rowsOf } from './records.ts';

/** The store alone, call by call; what a sidecar makes of it is in outages.test.ts. */
let server: PostgresServer;
let database: string;
let proxy: TcpProxy;
let store: Store;

beforeAll(async () => {
  server = await PostgresServer.start({ settings: { max_connections: 20 } });
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(async () => {
  database = await server.createDatabase();
  proxy = await tcpProxy({ host: '127.0.0.1', port: server.port });
  store = storeAt(server.dsn(database, { port: proxy.port }), { appendMs: 2_000 });
});
afterEach(async () => {
  await store.close(AbortSignal.timeout(1_000));
  await proxy[Symbol.asyncDispose]();
});

const transient = (message: string) => ({
  name: 'StoreError',
  class: 'transient',
  message: expect.stringContaining(message),
});

async function otherClient(work: (client: Client) => Promise<void>): Promise<void> {
  const client = await server.client(database);
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

/** How long its statements may wait is said for the database, as an operator would. */
async function setForAll(setting: string): Promise<void> {
  await server.query(`ALTER DATABASE ${database} SET ${setting}`);
}

describe('a connection', () => {
  it('that is refused is said to be, and the next one works', async () => {
    await proxy.refuse();
    await expect(store.open()).rejects.toMatchObject(transient('connection refused'));
    await proxy.accept();
    await store.open();
    await store.append(audits('a'));
    expect(await eventIds(store)).toEqual(['a']);
  });

  it('that is cut between the commit and its answer stores once', async () => {
    await store.open();
    const cut = proxy.cutAnswerTo('ON CONFLICT');
    await expect(store.append(audits('a', 'b'))).rejects.toMatchObject(transient('connection'));
    await cut;
    await store.open();
    expect(await store.append(audits('a', 'b'))).toEqual({ duplicates: [0, 1] });
    expect(await eventIds(store)).toEqual(['a', 'b']);
  });

  it('that is cut at any byte of a batch stores it once or not at all', async () => {
    await store.open();
    const before = proxy.forwarded.up;
    await store.append(audits('measure'));
    const length = proxy.forwarded.up - before;
    let failed = 0;
    for (let at = 1; at <= length; at += 61) {
      const cut = proxy.cutAfter('up', at, at % 2 === 0 ? 'reset' : 'end');
      const id = `cut-${at}`;
      for (;;) {
        try {
          await store.append(audits(id));
          break;
        } catch (error) {
          expect(error).toMatchObject({ class: 'transient' });
          failed += 1;
          await store.open().catch(() => {});
        }
      }
      await cut;
    }
    expect(failed).toBeGreaterThan(5);
    const stored = await eventIds(store);
    expect(new Set(stored).size).toBe(stored.length);
    expect(stored).toHaveLength(1 + Math.ceil(length / 61));
  });

  it('that is lost while nobody uses it is replaced without a failure', async () => {
    await store.open();
    await store.append(audits('a'));
    proxy.cut();
    await sleep(50);
    await store.append(audits('b'));
    expect(await eventIds(store)).toEqual(['a', 'b']);
  });

  it('that the server ends while nobody uses it is replaced without a failure', async () => {
    await store.open();
    await store.append(audits('a'));
    for (let i = 0; i < 10; i++) {
      await server.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1',
        'postgres',
        [database],
      );
      // Its farewell comes first, then the end of the connection.
      await expect.poll(() => proxy.open, { interval: 1 }).toBe(0);
      await store.append(audits(`b${i}`));
    }
    expect(await eventIds(store)).toHaveLength(11);
  });

  it('that is answered with garbage ends, and the process does not', async () => {
    await store.open();
    proxy.mode = 'garbage';
    await expect(store.append(audits('a'))).rejects.toMatchObject({ class: 'transient' });
    proxy.mode = 'pass';
    await store.open();
    await store.append(audits('a'));
    expect(await eventIds(store)).toEqual(['a']);
  });

  it('to a black hole is given up', async () => {
    const dsn = server.dsn(database, {
      port: proxy.port,
      query: 'sslmode=disable&connect_timeout=2',
    });
    const quick = storeAt(dsn);
    proxy.mode = 'stall';
    const start = performance.now();
    await expect(quick.open()).rejects.toMatchObject(transient('did not answer in time'));
    expect(performance.now() - start).toBeLessThan(20_000);
    await quick.close(AbortSignal.timeout(1_000));
  });

  it('that stalls in a batch is given up, and the batch is stored once', async () => {
    await store.open();
    proxy.mode = 'stall-answers';
    await expect(store.append(audits('a'))).rejects.toMatchObject(transient('no answer within'));
    proxy.mode = 'pass';
    await store.open();
    expect(await store.append(audits('a'))).toEqual({ duplicates: [0] });
    expect(await eventIds(store)).toEqual(['a']);
  });

  it('to a name that DNS does not know is said to be', async () => {
    const dsn = server.dsn(database).replace('127.0.0.1', 'no-such-host.invalid');
    const lost = storeAt(dsn);
    await expect(lost.open()).rejects.toMatchObject({
      message: expect.stringMatching(/the host name (is unknown|cannot be looked up)/),
    });
    await lost.close(AbortSignal.timeout(1_000));
  });

  it('to something that speaks nearly as Postgres does fails, and the process does not', async () => {
    const random = seededRandom(5);
    const codes = 'RSKZETDCIAN123nstGHWcdv';
    const { server: liar, port } = await occupyPort('127.0.0.1');
    liar.on('connection', (socket) => {
      socket.on('error', () => {});
      const body = Buffer.from(
        Array.from({ length: Math.floor(random() * 60) }, () => Math.floor(random() * 256)),
      );
      const head = Buffer.alloc(5);
      head.write(codes[Math.floor(random() * codes.length)] ?? 'R');
      head.writeInt32BE(random() < 0.1 ? Math.floor(random() * 8) : body.length + 4, 1);
      socket.end(Buffer.concat([head, body]));
    });
    const fooled = storeAt(server.dsn(database, { port }));
    for (let i = 0; i < 300; i++) {
      await expect(fooled.open()).rejects.toMatchObject({ class: 'transient' });
    }
    await fooled.close(AbortSignal.timeout(1_000));
    liar.close();
  });

  it('that closes while it opens leaves nothing open', async () => {
    proxy.delayMs = 20;
    const opening = store.open().catch((error: Error) => error);
    await sleep(60);
    await store.close(AbortSignal.timeout(100));
    expect(await opening).toBeInstanceOf(Error);
    await expect.poll(() => proxy.open, { timeout: 10_000 }).toBe(0);
  });
});

describe('a server', () => {
  it('that is read-only is said to be, with what to do', async () => {
    await store.open();
    await setForAll('default_transaction_read_only = on');
    proxy.cut();
    await sleep(50);
    await expect(store.append(audits('a'))).rejects.toMatchObject({
      ...transient('25006'),
      hint: expect.stringContaining('target_session_attrs=read-write'),
    });
    await otherClient(async (client) => {
      await client.query('BEGIN READ WRITE');
      await client.query(`ALTER DATABASE ${database} RESET default_transaction_read_only`);
      await client.query('COMMIT');
    });
    await store.open();
    await store.append(audits('a'));
  });

  it('without a connection to spare is said to be, and used again when it has one', async () => {
    await server.createRole(`r_${database}`);
    await server.query(`ALTER ROLE r_${database} CONNECTION LIMIT 1`);
    await server.query(`GRANT CREATE ON SCHEMA public TO r_${database}`, database);
    const first = storeAt(server.dsn(database, { user: `r_${database}` }));
    const second = storeAt(server.dsn(database, { user: `r_${database}` }));
    await first.open();
    await expect(second.open()).rejects.toMatchObject(transient('too many connections'));
    await first.close(AbortSignal.timeout(1_000));
    await expect
      .poll(() =>
        second.open().then(
          () => true,
          () => false,
        ),
      )
      .toBe(true);
    await second.close(AbortSignal.timeout(1_000));
  });

  it('that cancels the statement by its own timeout is tried again', async () => {
    await store.open();
    await setForAll("statement_timeout = '300ms'");
    proxy.cut();
    await sleep(50);
    await otherClient(async (client) => {
      await client.query('SET statement_timeout = 0');
      await client.query('BEGIN');
      await client.query('LOCK TABLE audit_events IN ACCESS EXCLUSIVE MODE');
      await expect(store.append(audits('a'))).rejects.toMatchObject({
        ...transient('57014'),
        hint: expect.stringContaining('statement_timeout'),
      });
      await client.query('COMMIT');
    });
    await store.open();
    expect(await store.append(audits('a'))).toEqual({ duplicates: [] });
  });

  it('that hangs in a lock is left without our statement', async () => {
    await store.open();
    await otherClient(async (client) => {
      await client.query('BEGIN');
      await client.query('LOCK TABLE audit_events IN ACCESS EXCLUSIVE MODE');
      await expect(store.append(audits('a'))).rejects.toMatchObject(transient('no answer within'));
      const waiting = async () => {
        const sql = `SELECT count(*)::int AS n FROM pg_stat_activity
          WHERE datname = $1 AND wait_event_type = 'Lock'`;
        return (await server.query(sql, 'postgres', [database]))[0]?.n;
      };
      await expect.poll(waiting, { timeout: 5_000 }).toBe(0);
      await client.query('COMMIT');
    });
    await store.open();
    expect(await store.append(audits('a'))).toEqual({ duplicates: [] });
  });

  it('that ends a deadlock at our cost is tried again', async () => {
    await store.open();
    await otherClient(async (client) => {
      await client.query("SET deadlock_timeout = '60s'");
      await client.query('BEGIN');
      const insert = "INSERT INTO audit_events (ts, event_id) VALUES ('', $1)";
      await client.query(insert, ['b']);
      // Ours has a and waits for b; theirs has b and now waits for a.
      const ours = store.append(audits('a', 'b')).catch((error: Error) => error);
      await sleep(200);
      const theirs = client.query(insert, ['a']);
      expect(await ours).toMatchObject(transient('40P01'));
      await theirs;
      await client.query('ROLLBACK');
    });
    await store.open();
    expect(await store.append(audits('a', 'b'))).toEqual({ duplicates: [] });
  });

  it('that serialises strictly is tried again', async () => {
    await setForAll("default_transaction_isolation = 'serializable'");
    await store.open();
    expect(await store.append(audits('a'))).toEqual({ duplicates: [] });
    expect(await store.append(audits('a', 'b'))).toEqual({ duplicates: [0] });
  });
});

describe('a record', () => {
  it('that a rule of somebody else refuses is data, and leaves the connection usable', async () => {
    await store.open();
    await server.query(
      "ALTER TABLE audit_events ADD CONSTRAINT no_eve CHECK (actor <> 'eve')",
      database,
    );
    const refused = rowsOf(AUDIT_EVENT, { actor: 'eve', details: 'a secret' });
    const error = await store.append(refused).catch((caught: Error) => caught);
    expect(error).toMatchObject({
      class: 'data',
      message: expect.stringMatching(/SQLSTATE 23514, constraint no_eve, table audit_events/),
    });
    expect(JSON.stringify(error) + String((error as Error).stack)).not.toContain('a secret');
    const accepted = proxy.accepted;
    await store.append(audits('a'));
    expect(proxy.accepted).toBe(accepted);
  });

  it('is not blamed for a sequence that stands behind its table', async () => {
    await store.open();
    await store.append(audits('a', 'b', 'c'));
    await server.query("SELECT setval('audit_events_id_seq', 1)", database);
    await expect(store.append(audits('d'))).rejects.toMatchObject({
      ...transient('the next id is taken'),
      hint: expect.stringContaining('setval'),
    });
  });

  it('is not blamed for a sequence that is used up', async () => {
    await store.open();
    await server.query('ALTER SEQUENCE audit_events_id_seq MAXVALUE 2', database);
    await store.append(audits('a', 'b'));
    await expect(store.append(audits('c'))).rejects.toMatchObject({
      ...transient('a sequence is used up (SQLSTATE 2200H'),
      hint: expect.stringContaining('MAXVALUE'),
    });
    await server.query('ALTER SEQUENCE audit_events_id_seq NO MAXVALUE', database);
    await store.open();
    await store.append(audits('c'));
  });

  it('is not blamed for a NULL, which no record holds', async () => {
    await store.open();
    await server.query('ALTER TABLE audit_events ADD region TEXT NOT NULL', database);
    await expect(store.append(audits('a'))).rejects.toMatchObject({
      ...transient('SQLSTATE 23502, table audit_events, column region'),
      hint: expect.stringContaining('DEFAULT'),
    });
    await server.query("ALTER TABLE audit_events ALTER region SET DEFAULT ''", database);
    await store.open();
    await store.append(audits('a'));
  });

  it('is blamed for what a trigger raises', async () => {
    await store.open();
    await server.query(
      `CREATE FUNCTION judge() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF new.event_id = 'b' THEN RAISE 'no'; END IF; RETURN new; END $$;
        CREATE TRIGGER judge BEFORE INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION judge()`,
      database,
    );
    await expect(store.append(audits('a', 'b'))).rejects.toMatchObject({ class: 'data' });
    await store.append(audits('a', 'c'));
    await store.probe?.();
    expect(await eventIds(store)).toEqual(['a', 'c']);
  });

  it('is not blamed for a column that is gone', async () => {
    await store.open();
    await server.query('ALTER TABLE audit_events DROP COLUMN resource', database);
    await expect(store.append(audits('a'))).rejects.toMatchObject(transient('42703'));
    await expect(store.open()).rejects.toThrow('it has no column resource');
  });
});

describe('a trial write', () => {
  it('fails where a write would', async () => {
    await store.open();
    await store.probe?.();
    await server.query('ALTER TABLE cost_snapshots RENAME TO elsewhere', database);
    await expect(store.probe?.()).rejects.toMatchObject(transient('42P01'));
  });

  it.each([
    [
      'a rule',
      '0A000',
      'drop the rule',
      `CREATE TABLE copy (event_id TEXT);
      CREATE RULE r AS ON INSERT TO audit_events DO ALSO INSERT INTO copy VALUES (new.event_id)`,
    ],
    [
      'a constraint that is checked late',
      '55000',
      'DEFERRABLE',
      'ALTER TABLE audit_events ADD CONSTRAINT late UNIQUE (event_id) DEFERRABLE',
    ],
    ['no unique index', '42P10', 'docs', 'DROP INDEX audit_events_event_id_idx'],
  ])('fails, as a write does, for %s', async (_, code, hint, sql) => {
    await store.open();
    const other = storeAt(server.dsn(database));
    await other.open();
    await server.query(sql, database);
    const failure = { ...transient(code), hint: expect.stringContaining(hint) };
    await expect(other.append(audits('a'))).rejects.toMatchObject(failure);
    await expect(store.probe?.()).rejects.toMatchObject(failure);
    await other.close(AbortSignal.timeout(1_000));
  });
});

describe('lists', () => {
  it('that nobody waits for any more get no statement, though they wait for a connection', async () => {
    await store.open();
    const query = { kind: AUDIT_EVENT, filters: new Map(), order: 'asc', limit: 1 } as const;
    await otherClient(async (client) => {
      await client.query('BEGIN');
      await client.query('LOCK TABLE audit_events IN ACCESS EXCLUSIVE MODE');
      const leaving = new AbortController();
      const held = Array.from({ length: 3 }, () => store.list(query));
      const list = store.list(query, leaving.signal);
      const refused = expect(list).rejects.toThrow('nobody waits');
      leaving.abort();
      await sleep(100);
      await client.query('COMMIT');
      await refused;
      expect(await Promise.all(held)).toEqual(held.map(() => ({ items: [], next: null })));
    });
    await expect(store.list(query, AbortSignal.abort())).rejects.toThrow('nobody waits');
    expect(await eventIds(store)).toEqual([]);
  });

  it('fail while the database is down, and do not when it is back', async () => {
    await store.open();
    await store.append(audits('a'));
    await eventIds(store);
    await proxy.refuse();
    await expect(eventIds(store)).rejects.toMatchObject({ name: 'StoreError' });
    await proxy.accept();
    expect(await eventIds(store)).toEqual(['a']);
  });

  it('beyond the connections there are for them wait for one', async () => {
    await store.open();
    await store.append(audits('a'));
    const lists = await Promise.all(Array.from({ length: 40 }, () => eventIds(store)));
    expect(lists).toEqual(lists.map(() => ['a']));
    expect(proxy.open).toBeLessThanOrEqual(4);
  });
});

it('reconnects to a server that comes late', async () => {
  const late = storeAt(server.dsn(database).replace(String(server.port), String(await freePort())));
  await expect(late.open()).rejects.toMatchObject(transient('ECONNREFUSED'));
  await late.close(AbortSignal.timeout(1_000));
});
