import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { promisify } from 'node:util';
import { expect, onTestFinished, test, vi } from 'vitest';
import { PageBudget } from '../../../sidecar/src/http/api/page-budget.ts';
import { endIfStalled } from '../../../sidecar/src/http/api/stall.ts';
import { PAGE_BYTES } from '../../../sidecar/src/records/list.ts';
import { AUDIT, TestApi } from './support/listener.ts';
import { MemoryStore } from './support/memory-store.ts';

/** Waits as long as a busy machine takes. */
function soon(check: () => void | Promise<void>): Promise<void> {
  return vi.waitFor(check, { timeout: 20_000, interval: 5 });
}

const LIST = `GET ${AUDIT}?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n`;
const RECORD = { action: 'create', resource: 'sandbox', details: 'x'.repeat(65_000) };

/** A store that holds each list until it is told to answer. */
class SlowStore extends MemoryStore {
  readonly lists: { answer(): void; readonly signal: AbortSignal | undefined }[] = [];

  override async list(query: Parameters<MemoryStore['list']>[0], signal?: AbortSignal) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.lists.push({ answer: resolve, signal });
    await promise;
    return super.list(query);
  }
}

test('reads a few pages at a time; the others wait in line', async () => {
  const store = new SlowStore();
  const api = await TestApi.start(store);
  const answers = Array.from({ length: 10 }, () => api.get(`${AUDIT}?limit=1`));
  for (let answered = 0; answered < 10; answered++) {
    const asked = Math.min(10, answered + 4);
    await soon(() => expect(store.lists.length).toBe(asked));
    await soon(() => expect(api.api.pageBytes).toBe((asked - answered) * PAGE_BYTES));
    store.lists[answered]?.answer();
  }
  for (const { status } of await Promise.all(answers)) expect(status).toBe(200);
  expect(api.api.pageBytes).toBe(0);
});

test('gives the place in line of a client that has gone to the next', async () => {
  const store = new SlowStore();
  const api = await TestApi.start(store);
  const connections = [];
  for (let i = 0; i < 6; i++) {
    const connection = await api.connect();
    connection.socket.write(LIST);
    connections.push(connection);
    await soon(() => expect(store.lists.length).toBe(Math.min(4, i + 1)));
  }
  const { server } = api.api;
  const open = promisify(server.getConnections.bind(server));
  const before = await open();
  connections[4]?.socket.destroy();
  await soon(async () => expect(await open()).toBe(before - 1));
  connections[0]?.socket.destroy();
  await soon(() => expect(store.lists.length).toBe(5));
  expect(store.lists[0]?.signal?.aborted).toBe(true);
  for (const { answer } of store.lists) answer();
  for (const place of [1, 2, 3, 5]) await connections[place]?.until(/"next_cursor":null\}$/);
  expect(store.lists.length).toBe(5);
  await soon(() => expect(api.api.pageBytes).toBe(0));
});

test('reads the next page of a connection when the one before has left', async () => {
  const store = new SlowStore();
  const api = await TestApi.start(store);
  const { socket } = await api.connect();
  socket.write(LIST.repeat(60));
  for (let i = 0; i < 60; i++) {
    await soon(() => expect(store.lists.length).toBe(i + 1));
    store.lists[i]?.answer();
  }
  await soon(() => expect(api.api.pageBytes).toBe(0));
});

test('holds a page for a client that does not read it, and no more than its text', async () => {
  const api = await TestApi.start();
  await api.post(
    Array.from({ length: 100 }, () => RECORD),
    { prefer: 'wait' },
  );
  const { socket } = await api.connect();
  socket.pause();
  socket.write(LIST.repeat(20));
  await soon(() => expect(api.api.pageBytes).toBeGreaterThan(0));
  expect(api.api.pageBytes).toBeLessThanOrEqual(2 * PAGE_BYTES);
  // Others are served meanwhile.
  expect((await api.get(`${AUDIT}?limit=10`)).status).toBe(200);
  socket.destroy();
  await soon(() => expect(api.api.pageBytes).toBe(0));
});

test('shares come in order, and a small one does not overtake', async () => {
  const budget = new PageBudget(10);
  const { signal } = new AbortController();
  const taken: string[] = [];
  const take = async (name: string, bytes: number) => {
    const share = await budget.take(bytes, signal);
    taken.push(name);
    return share;
  };
  const first = await take('first', 6);
  const large = take('large', 8);
  const small = take('small', 2);
  await Promise.resolve();
  expect(taken).toEqual(['first']);
  first.shrink(2);
  first.shrink(9);
  expect(budget.held).toBe(10);
  (await large).shrink(0);
  await small;
  expect(taken).toEqual(['first', 'large', 'small']);
  expect(budget.held).toBe(4);
});

/** Many times what a machine that is busy lets a client wait. */
const STALL_MS = 1_500;

/** Serves one large answer that must not stall; the client reads when it is told to. */
async function largeAnswer() {
  const bytes = 32 * 1024 * 1024;
  const ended = Promise.withResolvers<void>();
  const server = createServer((_incoming, outgoing) => {
    outgoing.on('close', ended.resolve);
    endIfStalled(outgoing, STALL_MS);
    outgoing.end(Buffer.alloc(bytes));
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  return { bytes, socket, ended: ended.promise };
}

test('ends a connection on which an answer does not move', async () => {
  const { bytes, socket, ended } = await largeAnswer();
  await ended;
  let received = 0;
  socket.on('data', (chunk) => {
    received += chunk.length;
  });
  await once(socket, 'close');
  expect(received).toBeLessThan(bytes);
});

test('lets an answer arrive that is read slowly', async () => {
  const { bytes, socket } = await largeAnswer();
  const startedAt = performance.now();
  let received = 0;
  socket.on('data', (chunk) => {
    received += chunk.length;
    socket.pause();
    setTimeout(() => socket.resume(), 5);
  });
  await once(socket, 'close');
  expect(received).toBeGreaterThan(bytes);
  expect(performance.now() - startedAt).toBeGreaterThan(STALL_MS);
});
