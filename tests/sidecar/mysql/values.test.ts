import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseDsn } from '../../../sidecar/src/config/dsn/parse-dsn.ts';
import { AUDIT_EVENT, COST_SNAPSHOT } from '../../../sidecar/src/records/kinds.ts';
import { appendRows } from '../../../sidecar/src/stores/mysql/append.ts';
import { prepareSession } from '../../../sidecar/src/stores/mysql/server-facts.ts';
import { Session } from '../../../sidecar/src/stores/mysql/session.ts';
import { type MariadbServer, query, startMariadb } from '../support/mariadb-server.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { tcpProxy } from '../support/tcp-proxy.ts';
import { readAll, rowsOf, storeOn } from './harness.ts';

let server: MariadbServer;
beforeAll(async () => {
  server = await startMariadb();
});
afterAll(() => server[Symbol.asyncDispose]());

it('keeps 1,000 random doubles bit for bit', async () => {
  await using store = storeOn(server.dsn(await server.createDatabase()));
  await store.open();
  const random = seededRandom(1);
  const doubles: number[] = [];
  const bits = Buffer.alloc(8);
  while (doubles.length < 1_000) {
    for (let at = 0; at < 8; at++) bits[at] = Math.floor(random() * 256);
    const double = bits.readDoubleLE();
    if (Number.isFinite(double) && double !== 0) doubles.push(double);
  }
  await store.append(
    rowsOf(COST_SNAPSHOT, doubles.length, (i) => ({ estimated_usd: doubles[i] as number })),
  );
  const items = await readAll(store, { kind: COST_SNAPSHOT });
  expect(items.map(({ estimated_usd }) => estimated_usd)).toEqual(doubles);
});

it('tells ids above 2^53 digit for digit, and pages by them', async () => {
  const database = await server.createDatabase();
  await using store = storeOn(server.dsn(database));
  await store.open();
  await server.sql('ALTER TABLE audit_events AUTO_INCREMENT = 9007199254740993', database);
  await store.append(rowsOf(AUDIT_EVENT, 5));
  const items = await readAll(store, { limit: 1 });
  expect(items.map(({ id }) => id)).toEqual([
    '9007199254740993',
    '9007199254740994',
    '9007199254740995',
    '9007199254740996',
    '9007199254740997',
  ]);
});

it('cuts statements to the least packet that it accepts, and refuses a smaller one', async () => {
  await using own = await startMariadb({ args: ['--max-allowed-packet=262144'] });
  const database = await own.createDatabase();
  {
    await using store = storeOn(own.dsn(database));
    await store.open();
    const texts = ['x'.repeat(65_535), '\u{1f40b}'.repeat(16_383), "'\\\0\n".repeat(16_383)];
    const rows = rowsOf(AUDIT_EVENT, 100, (i) => ({ details: texts[i % 3] ?? '' }));
    expect(await store.append(rows)).toEqual({ duplicates: [] });
    const items = await readAll(store);
    const wrong = items.filter(({ details }, i) => details !== texts[i % 3]);
    expect([items.length, wrong.length]).toEqual([100, 0]);
    expect(await store.append(rowsOf(AUDIT_EVENT, 3_333))).toEqual({ duplicates: [] });
    expect(await readAll(store)).toHaveLength(3_433);
  }
  await own.sql('SET GLOBAL max_allowed_packet = 131072');
  await using store = storeOn(own.dsn(database));
  await expect(store.open()).rejects.toMatchObject({
    class: 'transient',
    reason: expect.stringMatching(/max_allowed_packet .* 131072 bytes; raise it to 262144/),
  });
});

/** Lets something happen after the statement that asks for known ids. */
class RacedSession extends Session {
  race = async (): Promise<unknown> => undefined;
  races = 0;

  override async execute(...call: Parameters<Session['execute']>) {
    const result = await super.execute(...call);
    if (call[0].includes('event_id IN')) {
      this.races += 1;
      await this.race();
    }
    return result;
  }
}

it('tells each duplicate when another sidecar stores some of them at the same moment', async () => {
  const database = await server.createDatabase();
  await using store = storeOn(server.dsn(database));
  await store.open();
  const own = (i: number) => ({ event_id: `raced-${i}` });
  await store.append(rowsOf(AUDIT_EVENT, 1, () => own(3)));
  const dsn = parseDsn(server.dsn(database), 'mysql');
  const [address] = dsn.hosts;
  if (address === undefined) throw new Error('the DSN names no host');
  const session = new RacedSession({ address, tls: undefined, timeoutMs: 10_000 }, dsn);
  try {
    await session.login();
    const { maxPacketBytes } = await prepareSession(session);
    session.race = () => store.append(rowsOf(AUDIT_EVENT, 1, () => own(7)));
    const rows = rowsOf(AUDIT_EVENT, 10, (i) => own(i === 9 ? 0 : i));
    const appended = await appendRows(session, rows, maxPacketBytes);
    expect(appended).toEqual({ duplicates: [3, 7, 9] });
    expect(session.races).toBe(1);
    expect(await readAll(store)).toHaveLength(9);
  } finally {
    session.destroy();
  }
});

it('answers a short page with a cursor where few of many rows match', async () => {
  const database = await server.createDatabase();
  await using owner = storeOn(server.dsn(database));
  await owner.open();
  const wanted = new Set([0, 11_111, 24_999]);
  for (let from = 0; from < 25_000; from += 5_000) {
    await owner.append(
      rowsOf(AUDIT_EVENT, 5_000, (i) => ({
        action: wanted.has(from + i) ? 'rare' : 'usual',
        event_id: `n-${from + i}`,
      })),
    );
  }
  await using proxy = await tcpProxy({ host: '127.0.0.1', port: server.port });
  await using store = storeOn(server.dsn(database, 'root', proxy.port));
  await store.open();
  const query = {
    kind: AUDIT_EVENT,
    order: 'asc',
    limit: 10,
    filters: new Map([['action', ['rare']]]),
  } as const;
  await store.list(query); // Connects while nothing is slow.
  proxy.delayMs = 60;
  const page = await store.list(query);
  expect(page.items.length).toBeLessThan(3);
  expect(page.next).not.toBeNull();
  proxy.delayMs = 0;
  const items = await readAll(store, query);
  expect(items.map(({ event_id }) => event_id)).toEqual(['n-0', 'n-11111', 'n-24999']);
});

it('refuses a fifth list while four wait in the server, and goes on when they are done', async () => {
  const database = await server.createDatabase();
  await using store = storeOn(server.dsn(database));
  await store.open();
  await store.append(rowsOf(AUDIT_EVENT, 1));
  const other = server.connect(database);
  try {
    await query(other, 'LOCK TABLES audit_events WRITE');
    const four = Promise.all(Array.from({ length: 4 }, () => readAll(store)));
    await expect(readAll(store)).rejects.toThrow('all 4 connections for lists are busy');
    await query(other, 'UNLOCK TABLES');
    expect((await four).map(({ length }) => length)).toEqual([1, 1, 1, 1]);
    expect(await readAll(store)).toHaveLength(1);
  } finally {
    other.destroy();
  }
});

it('never sends its password in clear text, though the server asks for it', async () => {
  const received: Buffer[] = [];
  const fake = createServer((socket) => {
    socket.on('error', () => {});
    socket.write(packet(0, GREETING));
    socket.once('data', () => socket.write(packet(2, ASK_FOR_CLEAR_PASSWORD)));
    socket.on('data', (chunk) => received.push(chunk));
  });
  fake.listen(0, '127.0.0.1');
  await once(fake, 'listening');
  try {
    const { port } = fake.address() as AddressInfo;
    await using store = storeOn(`app:fake-secret@tcp(127.0.0.1:${port})/agenttier`);
    await expect(store.open()).rejects.toMatchObject({
      class: 'transient',
      message: expect.stringContaining('asks for the password in clear text, which is refused'),
    });
    expect(received.length).toBeGreaterThan(0);
    expect(Buffer.concat(received).includes('fake-secret')).toBe(false);
  } finally {
    fake.close();
  }
});

/** https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets.html */
const GREETING = Buffer.concat([
  Buffer.from('\x0a8.4.0\0\x01\0\0\0abcdefgh\0', 'latin1'),
  // Capabilities (protocol 4.1, secure connection, plugins, connect with database), charset, status.
  Buffer.from([0x08, 0x82, 0x2d, 0x02, 0x00, 0x08, 0x00, 21]),
  Buffer.alloc(10),
  Buffer.from('ijklmnopqrst\0mysql_native_password\0', 'latin1'),
]);

const ASK_FOR_CLEAR_PASSWORD = Buffer.from('\xfemysql_clear_password\0', 'latin1');

function packet(sequenceId: number, body: Buffer): Buffer {
  const header = Buffer.alloc(4);
  header.writeUIntLE(body.length, 0, 3);
  header[3] = sequenceId;
  return Buffer.concat([header, body]);
}

it('checks unique indexes even where the server is set not to', async () => {
  const dsn = parseDsn(server.dsn(await server.createDatabase()), 'mysql');
  const [address] = dsn.hosts;
  if (address === undefined) throw new Error('the DSN names no host');
  await server.sql('SET GLOBAL unique_checks = 0');
  const session = new Session({ address, tls: undefined, timeoutMs: 10_000 }, dsn);
  try {
    await session.login();
    await prepareSession(session);
    expect((await session.run('SELECT @@unique_checks')).rows).toEqual([['1']]);
  } finally {
    session.destroy();
    await server.sql('SET GLOBAL unique_checks = 1');
  }
});
