import { expect, test, vi } from 'vitest';
import { noopStore } from '../../../sidecar/src/stores/noop.ts';
import { AUDIT, TestApi } from './support/listener.ts';
import { MemoryStore } from './support/memory-store.ts';

const RECORD = '{"action":"create","resource":"sandbox"}';
const HEAD = `POST ${AUDIT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`;

/** Never there, so that all is waited for until the connection closes. */
const CLOSED = /(?!)/;

function start() {
  return TestApi.start(noopStore());
}

test.each([
  'localhost',
  '127.0.0.1',
  '127.0.0.2:8085',
  '[::1]',
  'LOCALHOST:1',
  '127.0.0.1:65535',
  '127.0.0.1:',
  'localhost:99999',
  '[::1]:8085',
])('is meant by Host: %s', async (host) => {
  const api = await start();
  expect((await api.send(AUDIT, { headers: { host } })).status).toBe(200);
  const headers = { host, 'content-type': 'application/json' };
  expect((await api.send(AUDIT, { headers, body: RECORD })).status).toBe(202);
});

test.each([
  'evil.example',
  'localhost.evil.example',
  'localhost:8085@evil.example',
  '127.0.0.1.evil.example',
  '0.0.0.0',
  '[::]',
  '::1',
  'localhost.',
  'localhost:abc',
  '',
])('is not meant by Host: %j', async (host) => {
  const api = await start();
  const answer = await api.raw(`GET ${AUDIT} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  expect(answer).toMatch(/^HTTP\/1.1 421 /);
  expect(answer).toMatch('application/problem+json');
});

test('wants exactly one Host', async () => {
  const api = await start();
  expect(await api.raw(`GET ${AUDIT} HTTP/1.1\r\n\r\n`)).toMatch(/^HTTP\/1.1 421 /);
  expect(await api.raw(`GET ${AUDIT} HTTP/1.0\r\n\r\n`)).toMatch(/^HTTP\/1.1 421 /);
  const twice = `GET ${AUDIT} HTTP/1.1\r\nHost: localhost\r\nhost: localhost\r\n\r\n`;
  expect(await api.raw(twice)).toMatch(/^HTTP\/1.1 421 /);
  expect(await api.raw(`GET ${AUDIT} HTTP/1.0\r\nHost: localhost\r\n\r\n`)).toMatch(' 200 OK');
});

test.each([
  '*',
  'https://localhost/v1/audit-events',
  'http:///v1/audit-events',
  'http://localhost/v1/audit-events#x',
  'http://localhost/v1\\audit-events',
  '/v1\\audit-events',
  '/v1/audit-events#x',
  '/v1/audit-events?actor=\xe4',
])('refuses the request target %j', async (target) => {
  const api = await start();
  const method = target === '*' ? 'OPTIONS' : 'GET';
  const answer = await api.raw(
    Buffer.from(`${method} ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`, 'latin1'),
  );
  expect(answer).toMatch(/^HTTP\/1.1 400 /);
  expect(answer).toMatch('application/problem+json');
});

test('takes a whole URL for a target, as proxies send it', async () => {
  const api = await start();
  const statusOf = async (target: string, rest = '\r\n', method = 'GET', host = 'localhost') => {
    const answer = await api.raw(`${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n${rest}`);
    return Number(answer.slice(9, 12));
  };
  const post = `Content-Type: application/json\r\nContent-Length: ${RECORD.length}\r\n\r\n${RECORD}`;
  expect(await statusOf(`http://localhost:8085${AUDIT}`)).toBe(200);
  expect(await statusOf(`HTTP://127.0.0.1${AUDIT}?limit=1`)).toBe(200);
  expect(await statusOf(`http://[::1]:8085${AUDIT}`, post, 'POST')).toBe(202);
  expect(await statusOf(`http://localhost${AUDIT}?x=1`)).toBe(400);
  expect(await statusOf('http://localhost')).toBe(404);
  expect(await statusOf('http://localhost?x')).toBe(404);
  // Its host must be this one, and the header's too.
  expect(await statusOf(`http://evil.example${AUDIT}`)).toBe(421);
  expect(await statusOf(`http://localhost@evil.example${AUDIT}`, post, 'POST')).toBe(421);
  expect(await statusOf(`http://localhost${AUDIT}`, '\r\n', 'GET', 'evil.example')).toBe(421);
});

test('answers what is not there with 404 and other methods with 405 and Allow', async () => {
  const api = await start();
  for (const path of [
    '/',
    '/v1',
    '/v1/audit-events/',
    '/v1/AUDIT-EVENTS',
    '/healthz',
    '/metrics',
    '//x',
  ]) {
    expect((await api.send(path)).status).toBe(404);
  }
  for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE']) {
    const answer = await api.send(AUDIT, { method });
    expect([answer.status, answer.headers.allow]).toEqual([405, 'POST, GET, HEAD']);
  }
  const answer = await api.send('/openapi.json', { method: 'POST', body: 'x' });
  expect([answer.status, answer.headers.allow]).toEqual([405, 'GET, HEAD']);
});

test('answers HEAD as GET without the body', async () => {
  const api = await start();
  for (const [path, status] of [
    [AUDIT, 200],
    ['/openapi.json', 200],
    ['/nothing', 404],
    [`${AUDIT}?x=1`, 400],
  ] as const) {
    const answer = await api.send(path, { method: 'HEAD' });
    expect([answer.status, answer.text]).toEqual([status, '']);
  }
});

test('echoes a plain X-Request-Id and replaces any other', async () => {
  const api = await start();
  const idOf = async (sent: string) =>
    (await api.send(AUDIT, { headers: { 'x-request-id': sent } })).headers['x-request-id'];
  expect(await idOf('req_1.a-Z')).toBe('req_1.a-Z');
  expect(await idOf('a b')).not.toBe('a b');
  expect(await idOf('x'.repeat(129))).toMatch(/^[0-9a-f]{12}-[0-9a-z]+$/);
  expect(await idOf('<script>')).not.toBe(await idOf('<script>'));
});

test.each([
  ['nonsense', 'hello\r\n\r\n', 400],
  [
    'headers beyond 16 KiB',
    `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
    431,
  ],
  [
    'more than 1,000 headers',
    `GET / HTTP/1.1\r\nHost: localhost\r\n${'a:\r\n'.repeat(1_000)}\r\n`,
    431,
  ],
  ['a header without a name', 'GET / HTTP/1.1\r\n: x\r\n\r\n', 400],
  ['two lengths', `${HEAD}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`, 400],
  ['a length and chunks', `${HEAD}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, 400],
  ['a bad chunk', `${HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\n`, 400],
  ['CONNECT', 'CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n', 405],
  ['another expectation', `${HEAD}Content-Length: 1\r\nExpect: miracles\r\n\r\n`, 417],
])('answers %s with a problem', async (_, bytes, status) => {
  const api = await start();
  const answer = await api.raw(bytes);
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(answer).toMatch('application/problem+json');
  expect(answer).toMatch(/x-request-id: /i);
  expect(answer.match(/HTTP\/1\.1 /g)).toHaveLength(1);
});

test('says how to ask with fewer values where a line and its headers grow too long', async () => {
  const api = await start();
  const values = 'sandbox_id=x&'.repeat(2_000);
  const answer = await api.send(`${AUDIT}?${values}`);
  expect(answer.status).toBe(431);
  expect(JSON.parse(answer.text).detail).toMatch(/exceed 16384 bytes.*ask for fewer filter values/);
});

test('says how many headers there may be where there are more', async () => {
  const api = await start();
  const headers = Object.fromEntries(Array.from({ length: 1_100 }, (_, i) => [`x${i}`, '']));
  const answer = await api.send(AUDIT, { headers });
  expect(answer.status).toBe(431);
  expect(JSON.parse(answer.text).detail).toMatch(/headers are more than 1000/);
});

test('documents the answer to another expectation', async () => {
  const api = await start();
  const answer = await api.send(AUDIT, { headers: { expect: 'miracles' }, body: RECORD });
  expect(answer.status).toBe(417);
});

test('names the resources where there is none', async () => {
  const api = await start();
  const answer = await api.send('/v1/audit_events');
  expect(answer.status).toBe(404);
  expect(JSON.parse(answer.text).detail).toContain('/v1/audit-events, ');
});

const UPGRADE = 'Connection: Upgrade\r\nUpgrade: h2c\r\n';

function postOf(body: string, more = '', type = 'application/json') {
  return `POST ${AUDIT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`;
}

test('serves a request that would upgrade as any other, and ends its connection', async () => {
  const api = await start();
  for (const request of [
    `GET ${AUDIT} HTTP/1.1\r\nHost: localhost\r\n${UPGRADE}\r\n`,
    postOf(RECORD, UPGRADE),
  ]) {
    const connection = await api.connect();
    connection.socket.write(request);
    const answer = await connection.until(CLOSED);
    expect(answer).toMatch(/^HTTP\/1.1 20[02] /);
    expect(answer).toMatch(/connection: close/i);
    expect(answer).toMatch(/\}$/);
  }
  // No offer without both headers.
  const kept = await api.raw(postOf(RECORD, 'Upgrade: h2c\r\n'));
  expect(kept).not.toMatch(/connection: close/i);
});

test('leaves no doubt about what was sent behind a request that would upgrade', async () => {
  const api = await start();
  const connection = await api.connect();
  connection.socket.write(postOf(RECORD, UPGRADE) + postOf(RECORD) + postOf(RECORD));
  const answers = await connection.until(CLOSED);
  expect(answers.match(/HTTP\/1\.1 /g)).toHaveLength(1);
  expect(answers).toMatch(/connection: close/i);
  expect(api.recorder.ledger.received[0]).toBe(1);
});

test('takes nothing behind a request that would upgrade for a request', async () => {
  const store = new MemoryStore();
  const gate = Promise.withResolvers<void>();
  store.gate = () => gate.promise;
  const api = await TestApi.start(store);
  const tail = postOf(RECORD);
  const body = `${RECORD}\n${tail}nonsense\r\n\r\n`;
  const [before] = postOf(body, '', 'application/x-ndjson').split(tail);
  const connection = await api.connect();
  const { socket } = connection;
  socket.write(postOf(RECORD, `${UPGRADE}Prefer: wait=60\r\n`) + before);
  await vi.waitFor(() => expect(api.recorder.ledger.received[0]).toBe(1));
  // What is left of the second body looks like a request to a parser that has lost its beginning.
  socket.write(`${tail}nonsense\r\n\r\n`);
  await vi.waitFor(() => expect(api.api.refusedBodies.pipelined).toBe(1));
  gate.resolve();
  const answers = await connection.until(CLOSED);
  expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 201']);
  expect(socket.closed).toBe(true);
  expect(api.recorder.ledger.received[0]).toBe(1);
});

test('never answers a whole request with the problem of what follows it', async () => {
  const store = new MemoryStore();
  const { promise, resolve } = Promise.withResolvers<void>();
  store.gate = () => promise;
  const api = await TestApi.start(store);
  const post = `${HEAD}Prefer: wait=5\r\nContent-Length: ${RECORD.length}\r\n\r\n${RECORD}`;
  expect(await api.raw(`${post}nonsense\r\n\r\n`)).toBe('');
  expect(await api.raw(`${post}CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n`)).toBe('');
  resolve();
});

test('allows CONNECT no method on any host', async () => {
  const api = await start();
  const answer = await api.raw('CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n');
  expect(answer).toMatch(/^HTTP\/1.1 405 /);
  expect(answer).toMatch(/^Allow: \r$/m);
});

test('says nothing to a connection that sends nothing', async () => {
  const api = await start();
  const connection = await api.connect();
  connection.socket.end();
  expect(await connection.until(/x/)).toBe('');
});

test('tells a client that expects it to go on, and only if the body is wanted', async () => {
  const api = await start();
  const wanted = await api.connect();
  wanted.socket.write(`${HEAD}Content-Length: ${RECORD.length}\r\nExpect: 100-continue\r\n\r\n`);
  expect(await wanted.until(/\r\n\r\n/)).toBe('HTTP/1.1 100 Continue\r\n\r\n');
  wanted.socket.write(RECORD);
  expect(await wanted.until(/\}$/)).toMatch('HTTP/1.1 202 ');
  const large = `${HEAD}Content-Length: 9000000\r\nExpect: 100-continue\r\n\r\n`;
  const refused = await api.raw(large);
  expect(refused).toMatch(/^HTTP\/1.1 413 /);
  expect(refused).toMatch(/connection: close/i);
});

test('expects nothing of HTTP/1.0, which knows no answer before the answer', async () => {
  const api = await start();
  const sent = postOf(RECORD, 'Expect: 100-continue\r\n').replace('HTTP/1.1', 'HTTP/1.0');
  expect(await api.raw(sent)).toMatch(/^HTTP\/1.1 202 /);
  // A body that nobody wants is read as from a client that expects nothing.
  const untyped = sent.replace(/Content-Type: .*\r\n/, 'Connection: keep-alive\r\n');
  const refused = await api.raw(untyped);
  expect(refused).toMatch(/^HTTP\/1.1 415 /);
  expect(refused).toMatch(/connection: keep-alive/i);
});

test('answers pipelined requests in their order', async () => {
  const api = await start();
  const post = `${HEAD}Content-Length: ${RECORD.length}\r\n\r\n${RECORD}`;
  const get = 'GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n';
  const connection = await api.connect();
  connection.socket.write(post + get + post + get);
  const answer = await connection.until(/404[\s\S]*404[\s\S]*\}$/);
  expect(answer.match(/HTTP\/1\.1 \d+/g)?.map((line) => line.slice(9))).toEqual([
    '202',
    '404',
    '202',
    '404',
  ]);
});

test('ends a connection on which too many requests wait for the answer before theirs', async () => {
  const store = new MemoryStore();
  const gate = Promise.withResolvers<void>();
  store.gate = () => gate.promise;
  const api = await TestApi.start(store);
  const wait = `${HEAD}Prefer: wait=60\r\nContent-Length: ${RECORD.length}\r\n\r\n${RECORD}`;
  const get = `GET ${AUDIT} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
  const post = wait.replace('Prefer: wait=60\r\n', '');
  const patient = await api.connect();
  patient.socket.write(wait + get.repeat(100));
  const greedy = await api.connect();
  greedy.socket.write(wait + get.repeat(100) + post);
  expect(await greedy.until(/./)).toBe('');
  expect(greedy.socket.closed).toBe(true);
  expect(api.api.refusedBodies.pipelined).toBe(1);
  gate.resolve();
  const answered = () => patient.received.match(/HTTP\/1\.1 20\d/g)?.length;
  await vi.waitFor(() => expect(answered()).toBe(101), { timeout: 10_000 });
});

test('ends a connection whose requests wait where those of all hold too much memory', async () => {
  const store = new MemoryStore();
  const gate = Promise.withResolvers<void>();
  store.gate = () => gate.promise;
  const api = await TestApi.start(store);
  const waiting = async (request: string) => {
    const before = api.recorder.ledger.received[0] ?? 0;
    const connection = await api.connect();
    connection.socket.write(postOf(RECORD, 'Prefer: wait=60\r\n') + request.repeat(90));
    await vi.waitFor(() => expect(api.recorder.ledger.received[0]).toBeGreaterThan(before));
    return connection;
  };
  const padding = `X: ${'x'.repeat(16_000)}\r\n`;
  const get = `GET ${AUDIT} HTTP/1.1\r\nHost: localhost\r\n${padding}\r\n`;
  const first = await waiting(get);
  const second = await waiting(get);
  const third = await waiting(postOf(RECORD, padding));
  expect(await third.until(CLOSED)).toBe('');
  expect(api.api.refusedBodies.pipelined).toBeGreaterThanOrEqual(1);
  // What closed connections held is there for others.
  const open = () =>
    new Promise<number>((resolve) => api.api.server.getConnections((_, n) => resolve(n)));
  const before = await open();
  first.socket.destroy();
  await vi.waitFor(async () => expect(await open()).toBe(before - 1));
  const fourth = await waiting(get);
  gate.resolve();
  const answered = () =>
    [second, fourth].map(({ received }) => received.match(/HTTP\/1\.1 20/g)?.length);
  await vi.waitFor(() => expect(answered()).toEqual([91, 91]), { timeout: 10_000 });
});

test('keeps connections longer than clients keep theirs', async () => {
  const api = await start();
  const { server } = api.api;
  expect(server.keepAliveTimeout).toBeGreaterThanOrEqual(120_000);
  expect(server.headersTimeout).toBe(10_000);
  expect(server.requestTimeout).toBe(30_000);
  expect(server.maxConnections).toBe(1_024);
});

test('grants no other origin anything', async () => {
  const api = await start();
  const headers = { origin: 'http://evil.example', 'access-control-request-method': 'POST' };
  const answer = await api.send(AUDIT, { method: 'OPTIONS', headers });
  expect(answer.status).toBe(405);
  expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual(
    [],
  );
});

test('counts requests by route and status', async () => {
  const api = await start();
  const headers = { 'content-type': 'application/json' };
  await api.send(AUDIT, { headers, body: RECORD });
  await api.send(AUDIT, { headers, body: RECORD });
  await api.send('/nothing/1');
  await api.send('/nothing/2');
  const counted = [...api.stats].map(({ method, path, status, duration }) => {
    const count = duration.counts.reduce((sum, n) => sum + n, 0);
    return `${method} ${path} ${status} ${count}`;
  });
  expect(counted).toContain('POST /v1/audit-events 202 2');
  expect(counted).toContain('other other 404 2');
});
