import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test, vi } from 'vitest';
import { BodyBudget, Reservation } from '../../../sidecar/src/http/api/body-budget.ts';
import { readNdjson } from '../../../sidecar/src/http/api/ndjson-body.ts';
import { Turns } from '../../../sidecar/src/http/api/turns.ts';
import { readChunks } from '../../../sidecar/src/http/chunks.ts';
import type { Exchange } from '../../../sidecar/src/http/exchange.ts';
import { COST_SNAPSHOT } from '../../../sidecar/src/records/kinds.ts';
import { noopStore } from '../../../sidecar/src/stores/noop.ts';
import { AUDIT, JSON_HEADERS, NDJSON_HEADERS, TestApi } from './support/listener.ts';

const MIB = 1024 * 1024;
const BODY = 8 * MIB;
const LINE = '{"action":"create","resource":"sandbox"}';
/** An element of an array that makes a row of six times its length. */
const LEAST = ',{"sandbox_id":"a"}';
/** Their rows exceed the budget, and they do not. */
const BODIES = 12;

test('takes a body of exactly 8 MiB and refuses one byte more', async () => {
  const api = await TestApi.start(noopStore());
  const fits = LINE.padEnd(BODY);
  expect((await api.post(`[${LINE}${' '.repeat(BODY - LINE.length - 2)}]`)).status).toBe(202);
  expect((await api.post(`${fits} `)).status).toBe(413);
  expect((await api.post(`${fits}\n`, NDJSON_HEADERS)).status).toBe(413);
});

test('refuses an unannounced body once it grows too large, and stores nothing', async () => {
  const api = await TestApi.start(noopStore());
  for (const type of ['application/json', 'application/x-ndjson']) {
    const connection = await api.connect();
    const { socket } = connection;
    socket.write(
      `POST ${AUDIT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n`,
    );
    const lines = `${LINE}\n`.repeat(2_000);
    const chunk = `${lines.length.toString(16)}\r\n${lines}\r\n`;
    for (let sent = 0; sent <= 2 * BODY; sent += lines.length) socket.write(chunk);
    socket.write('0\r\n\r\n');
    expect(await connection.until(/\}$/)).toMatch(/^HTTP\/1.1 413 /);
    // The rest was read, so the connection serves the next request.
    socket.write('GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n');
    expect(await connection.until(/no such resource/)).toMatch('HTTP/1.1 404');
  }
  expect(api.recorder.ledger.received[0]).toBe(0);
  expect(api.api.bodyBytes).toBe(0);
});

test('holds a body of one-byte chunks in little more than its bytes', async () => {
  const api = await TestApi.start(noopStore());
  const bytes = MIB / 4;
  for (const type of ['application/json', 'application/x-ndjson']) {
    const { socket } = await api.connect();
    const before = heapInUse();
    socket.write(
      `POST ${AUDIT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n`,
    );
    socket.write('1\r\n \r\n'.repeat(bytes));
    await vi.waitFor(() => expect(api.api.bodyBytes).toBe(bytes), { timeout: 20_000 });
    // Kept one by one they hold 60 MiB.
    expect(heapInUse() - before).toBeLessThan(16 * MIB);
    socket.destroy();
    await vi.waitFor(() => expect(api.api.bodyBytes).toBe(0));
  }
});

test('takes 50,000 records and refuses one more, in both formats', async () => {
  const api = await TestApi.start(noopStore());
  const most = Array.from({ length: 50_000 }, () => LINE);
  for (const [headers, text] of [
    [JSON_HEADERS, (records: string[]) => `[${records}]`],
    [NDJSON_HEADERS, (records: string[]) => `${records.join('\n')}\n`],
    [NDJSON_HEADERS, (records: string[]) => records.join('\r\n')],
    [NDJSON_HEADERS, (records: string[]) => `${records.join('\n\n')}\r\n \r\n\t`],
  ] as const) {
    const answer = await api.post(text(most), headers);
    expect([answer.status, answer.json.accepted]).toEqual([202, 50_000]);
    expect((await api.post(text([...most, LINE]), headers)).status).toBe(413);
  }
  expect(api.recorder.ledger.received[0]).toBe(200_000);
});

test('refuses one record that is padded beyond what any valid one needs', async () => {
  const api = await TestApi.start(noopStore());
  const padded = LINE.padEnd(512 * 1024 + 1);
  for (const headers of [JSON_HEADERS, NDJSON_HEADERS]) {
    const answer = await api.post(padded, headers);
    expect(answer.status).toBe(400);
    expect(answer.json.rejected?.[0]?.problem).toMatch('is larger than');
  }
});

test('refuses a record with many fields or deep values without parsing it', async () => {
  const api = await TestApi.start(noopStore());
  const fields = Array.from({ length: 101 }, (_, i) => `"f${i}":1`);
  const deep = `{"action":${'['.repeat(32)}${']'.repeat(32)}}`;
  for (const headers of [JSON_HEADERS, NDJSON_HEADERS]) {
    const problemOf = async (record: string) =>
      (await api.post(record, headers)).json.rejected?.[0]?.problem;
    expect(await problemOf(`{${fields}}`)).toBe('has too many fields');
    expect(await problemOf(`{"action":{${fields}}}`)).toBe('has too many fields');
    expect(await problemOf(`{${fields.slice(1)}}`)).toMatch('unknown field');
    expect(await problemOf(deep)).toBe('is nested too deeply');
  }
});

test('takes a record with every text at its limit and every character escaped', async () => {
  const api = await TestApi.start();
  const escaped = (length: number) => '\\u0001'.repeat(length);
  const body = `{"actor":"${escaped(1_024)}","action":"${escaped(1_024)}","resource":"${escaped(1_024)}","sandbox_id":"${escaped(1_024)}","details":"${escaped(65_535)}"}`;
  expect((await api.post(body, { prefer: 'wait' })).status).toBe(201);
  const over = `{"action":"a","resource":"r","details":"${escaped(65_536)}"}`;
  expect((await api.post(over)).json.rejected?.[0]?.problem).toMatch('at most 65535 bytes');
});

test('answers 503 when other bodies use up the common budget, and recovers', async () => {
  const api = await TestApi.start(noopStore());
  const head = `POST ${AUDIT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${BODY}\r\n\r\n`;
  const slow = [];
  for (let i = 0; i < 2; i++) {
    const connection = await api.connect();
    connection.socket.write(head);
    slow.push(connection);
  }
  await vi.waitFor(() => expect(api.api.idleMs).toBe(0));
  // To announce a body takes no room.
  expect((await api.post(LINE)).status).toBe(202);
  for (const { socket } of slow) socket.write(Buffer.alloc(BODY - 1, ' '));
  await vi.waitFor(() => expect(api.api.bodyBytes).toBe(16 * MIB - 2), { timeout: 20_000 });
  const answer = await api.post(LINE);
  expect(answer.status).toBe(503);
  expect(answer.headers['retry-after']).toBe('1');
  expect(api.api.idleMs).toBe(0);
  expect(api.api.refusedBodies.in_flight).toBe(1);
  slow[0]?.socket.destroy();
  await vi.waitFor(() => expect(api.api.bodyBytes).toBe(8 * MIB - 1));
  expect((await api.post(LINE)).status).toBe(202);
  for (const { socket } of slow) socket.destroy();
  await vi.waitFor(() => expect(api.api.bodyBytes).toBe(0));
});

test.each([
  ['an array', JSON_HEADERS, `[${LEAST.repeat(50_000).slice(1)}]`],
  ['NDJSON', NDJSON_HEADERS, `${LEAST.slice(1)}\n`.repeat(50_000)],
])(
  'holds no more rows of bodies that are parsed at once than their budget: %s',
  async (_, headers, body) => {
    const api = await TestApi.start(noopStore());
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, api.api.bodyBytes);
    }, 5);
    const answers = await Promise.all(
      Array.from({ length: BODIES }, () => api.send('/v1/cost-snapshots', { headers, body })),
    );
    clearInterval(watch);
    const statuses = answers.map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([202, 503]));
    expect(most).toBeGreaterThan(BODIES * body.length);
    expect(most).toBeLessThanOrEqual(16 * MIB);
    expect(api.api.bodyBytes).toBe(0);
  },
);

test('takes a lone body whatever its rows come to', async () => {
  const api = await TestApi.start(noopStore());
  const record = (text: string) => `{"sandbox_id":"${text}"}\n`;
  const most = Math.floor(BODY / 50_000);
  const body = record('a'.repeat(most - record('').length)).repeat(50_000);
  const answer = await api.send('/v1/cost-snapshots', { headers: NDJSON_HEADERS, body });
  expect(JSON.parse(answer.text).accepted).toBe(50_000);
});

test('reads no more of a body that broke off while it waited for its turn', async () => {
  const turn = Promise.withResolvers<void>();
  class Waiting extends Turns {
    override get over() {
      return true;
    }
    override next = () => turn.promise;
  }
  const incoming = new PassThrough();
  const budget = new BodyBudget(MIB);
  const reservation = new Reservation(budget);
  const exchange = { incoming } as unknown as Exchange;
  const read = readNdjson(COST_SNAPSHOT, exchange, reservation, false, new Waiting());
  incoming.write('{"sandbox_id":"a"}\n'.repeat(100));
  await vi.waitFor(() => expect(budget.held).toBeGreaterThan(0));
  incoming.destroy(new Error('aborted'));
  expect(await read).toMatchObject({ status: 400 });
  reservation.release();
  turn.resolve();
  await new Promise(setImmediate);
  expect(budget.held).toBe(0);
});

test('tells a reader that has had enough of no end that came while it was at work', async () => {
  const incoming = new PassThrough();
  const work = Promise.withResolvers<void>();
  const end = vi.fn();
  const reader = { take: () => work.promise, end };
  const stop = readChunks(incoming as unknown as IncomingMessage, reader);
  incoming.emit('data', Buffer.from('x'));
  incoming.emit('end');
  stop();
  work.resolve();
  await new Promise(setImmediate);
  expect(end).not.toHaveBeenCalled();
});

test('gives back what aborted bodies held', async () => {
  const api = await TestApi.start(noopStore());
  const lines = '{"sandbox_id":"a"}\n'.repeat(3_400);
  const head = `POST /v1/cost-snapshots HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: ${2 * lines.length}\r\n\r\n`;
  for (let i = 0; i < 30; i++) {
    const { socket } = await api.connect();
    socket.write(head + lines);
    await new Promise((resolve) => setTimeout(resolve, 10));
    socket.resetAndDestroy();
  }
  await vi.waitFor(() => expect(api.api.bodyBytes).toBe(0));
  expect((await api.post(`[${LINE.padEnd(BODY - 2)}]`)).status).toBe(202);
});

test('stores nothing of a body that breaks off', async () => {
  const api = await TestApi.start(noopStore());
  for (const type of ['application/json', 'application/x-ndjson']) {
    const connection = await api.connect();
    connection.socket.write(
      `POST ${AUDIT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\nContent-Length: 1000\r\n\r\n${LINE}\n`,
    );
    await vi.waitFor(() => expect(api.api.bodyBytes).toBeGreaterThan(0));
    connection.socket.destroy();
    await vi.waitFor(() => expect(api.api.bodyBytes).toBe(0));
  }
  expect(api.recorder.ledger.received[0]).toBe(0);
});

/** Bytes that V8 holds after it has thrown away what it can. */
function heapInUse(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().heapUsed;
}

/**
 * The most milliseconds of the processor that one turn of the event loop took, the client's part
 * included. Time of the clock would count what other programs and machines take from this one.
 */
async function longestTurn(run: () => Promise<void>): Promise<number> {
  let longest = 0;
  let last = process.threadCpuUsage();
  const look = () => {
    const { user, system } = process.threadCpuUsage(last);
    longest = Math.max(longest, (user + system) / 1_000);
    last = process.threadCpuUsage();
  };
  let isOver = false;
  const turn = () => {
    look();
    if (!isOver) setImmediate(turn);
  };
  turn();
  await run();
  isOver = true;
  look();
  return longest;
}

/** Bodies of 8 MiB or 50,000 records, made to cost as much as they can. */
const MONSTERS: readonly (readonly [string, () => string])[] = [
  ['open brackets', () => '['.repeat(BODY)],
  ['brackets in a closed array', () => `[${'['.repeat(BODY / 2 - 1)}${']'.repeat(BODY / 2 - 1)}]`],
  ['quotes', () => '"'.repeat(BODY)],
  ['nested objects', () => '{"a":'.repeat(BODY / 5)],
  [
    'nested objects of half a megabyte',
    () =>
      `[${Array.from({ length: 16 }, () => `${'{"a":'.repeat(87_000)}1${'}'.repeat(87_000)}`)}]`,
  ],
  [
    'nested arrays of half a megabyte',
    () => `[${Array.from({ length: 16 }, () => `${'['.repeat(261_000)}${']'.repeat(261_000)}`)}]`,
  ],
  ['tiny bad records', () => `[${Array.from({ length: 50_000 }, () => '1')}]`],
  ['tiny bad objects', () => `[${Array.from({ length: 50_000 }, () => '{"x":1}')}]`],
  ['numbers without end', () => `[${'1,'.repeat(BODY / 2 - 2)}1]`],
  ['one giant text', () => `{"action":"${'a'.repeat(BODY - 13)}"}`],
  ['one giant number', () => `[${'9'.repeat(BODY - 2)}]`],
  [
    'numbers of half a megabyte',
    () => `[${Array.from({ length: 16 }, () => `{"action":${'9'.repeat(520_000)}}`)}]`,
  ],
  ['escaped quotes', () => `"${'\\"'.repeat(BODY / 2 - 2)}`],
  ['backslashes', () => `"${'\\'.repeat(BODY - 2)}"`],
  [
    'unknown fields',
    () =>
      `[${Array.from({ length: 16 }, (_, r) => `{${Array.from({ length: 42_000 }, (_, i) => `"${r}x${i}":1`)}}`)}]`,
  ],
  [
    'one key over and over',
    () =>
      `[${Array.from({ length: 16 }, () => `{${Array.from({ length: 80_000 }, () => '"a":1')}}`)}]`,
  ],
  [
    'numbers as keys',
    () =>
      `[${Array.from({ length: 16 }, () => `{${Array.from({ length: 35_000 }, (_, i) => `"${i * 100_003}":1`)}}`)}]`,
  ],
  ['blank lines', () => '\n'.repeat(BODY)],
  ['spaces', () => ' '.repeat(BODY)],
  [
    'texts of 64 KiB',
    () =>
      Array.from(
        { length: 120 },
        () => `{"action":"a","resource":"r","details":"${'ä'.repeat(32_000)}"}`,
      ).join('\n'),
  ],
  ['many valid records', () => Array.from({ length: 50_000 }, () => LINE).join('\n')],
];

describe.each([
  ['JSON', JSON_HEADERS],
  ['NDJSON', NDJSON_HEADERS],
])('as %s', (_, headers) => {
  test.each(MONSTERS)('does not hold the thread for a body of %s', async (_name, make) => {
    const api = await TestApi.start(noopStore());
    const body = Buffer.from(make());
    expect(body.length).toBeLessThanOrEqual(BODY);
    const longest = await longestTurn(async () => {
      expect([202, 400, 413]).toContain((await api.post(body, headers)).status);
    });
    expect(longest).toBeLessThan(250);
  });

  test('does not hold the thread for a body in chunks of one byte', async () => {
    const api = await TestApi.start(noopStore());
    const head = Object.entries({ Host: 'localhost', ...headers, 'Transfer-Encoding': 'chunked' });
    const lines = head.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    const body = [...LINE, ...'\n'.repeat(MIB / 2)].map((byte) => `1\r\n${byte}\r\n`).join('');
    const bytes = Buffer.from(`POST ${AUDIT} HTTP/1.1\r\n${lines}\r\n${body}0\r\n\r\n`);
    const { socket } = await api.connect();
    const answer = once(socket, 'data');
    const longest = await longestTurn(async () => {
      socket.write(bytes);
      expect(String((await answer)[0])).toMatch(/^HTTP\/1.1 (400|202) /);
    });
    expect(longest).toBeLessThan(250);
  });
});
