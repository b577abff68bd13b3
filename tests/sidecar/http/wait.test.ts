import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test, vi } from 'vitest';
import { waitSeconds } from '../../../sidecar/src/http/api/prefer.ts';
import { AUDIT, TestApi } from './support/listener.ts';
import { MemoryStore } from './support/memory-store.ts';

const RECORD = { action: 'create', resource: 'sandbox' };

/** A request as it goes over the wire. */
function raw(prefer: string): string {
  const body = JSON.stringify(RECORD);
  return `POST ${AUDIT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nPrefer: ${prefer}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

/** A store whose appends wait until they are let through. */
function gated() {
  const store = new MemoryStore();
  const { promise, resolve } = Promise.withResolvers<void>();
  store.gate = () => promise;
  return { store, open: resolve };
}

test.each([
  [undefined, 0],
  ['', 0],
  ['respond-async', 0],
  ['wait=5', 5],
  ['WAIT = 5', 5],
  ['wait="5"', 5],
  ['wait', 10],
  ['wait=', 10],
  ['wait=""', 10],
  ['wait=0', 0],
  ['wait=60', 60],
  ['wait=61', 60],
  [`wait=${'9'.repeat(400)}`, 60],
  ['wait=5;foo=bar', 5],
  ['respond-async, wait=7', 7],
  ['foo="a, wait=1", wait=2', 2],
  ['foo="\\", wait=1", wait=3', 3],
  ['wait=1, wait=2', 1],
  ['waiting=5', 0],
  ['wait=-1', 0],
  ['wait=1.5', 0],
  ['wait=soon', 0],
  [',,wait=4,', 4],
])('reads the preference %j as a wait of %d seconds', (header, seconds) => {
  expect(waitSeconds(header)).toBe(seconds);
});

test.each([
  ['quotes that are not closed', '"\\'.repeat(8_000)],
  ['spaces between words', `wait=${' '.repeat(16_000)}x y`],
  ['spaces after the name', `wait${' '.repeat(16_000)}y`],
])('reads a header full of %s in linear time', (_, header) => {
  const start = performance.now();
  for (let i = 0; i < 10; i++) expect(waitSeconds(header)).toBe(0);
  expect(performance.now() - start).toBeLessThan(500);
});

test('answers 201 once the records are durable, duplicates included', async () => {
  const api = await TestApi.start();
  const records = [{ ...RECORD, event_id: 'a' }, { ...RECORD, event_id: 'b' }, {}];
  const first = await api.post(records, { prefer: 'wait=5' });
  expect(first.status).toBe(201);
  expect(first.headers['preference-applied']).toBe('wait=5');
  expect(first.json).toMatchObject({ accepted: 2, rejected_count: 1, stored: 2, duplicates: 0 });
  const again = await api.post(records.slice(0, 2), { prefer: 'wait=100' });
  expect(again.status).toBe(201);
  expect(again.headers['preference-applied']).toBe('wait=60');
  expect(again.json).toMatchObject({ accepted: 2, stored: 0, duplicates: 2 });
});

test('reads a wait from any of several Prefer headers', async () => {
  const api = await TestApi.start();
  const headers = { 'content-type': 'application/json', prefer: ['respond-async', 'wait=3'] };
  const answer = await api.send(AUDIT, { headers, body: JSON.stringify(RECORD) });
  expect(answer.headers['preference-applied']).toBe('wait=3');
});

test('answers 202 when the wait runs out, and the records are still stored', async () => {
  const { store, open } = gated();
  const api = await TestApi.start(store);
  const answer = await api.post(RECORD, { prefer: 'wait=1' });
  expect(answer.status).toBe(202);
  expect(answer.headers['preference-applied']).toBeUndefined();
  expect(answer.json).toEqual({ accepted: 1, rejected_count: 0, rejected: [] });
  open();
  await vi.waitFor(() => expect(store.tables.get('audit_events')).toHaveLength(1));
});

test('keeps nothing of a request whose wait is over while its record is queued', async () => {
  const { store, open } = gated();
  const api = await TestApi.start(store);
  const answers: WeakRef<ServerResponse>[] = [];
  api.api.server.on('request', (_, outgoing) => answers.push(new WeakRef(outgoing)));
  expect((await api.post(RECORD, { prefer: 'wait=1' })).status).toBe(202);
  const connection = await api.connect();
  connection.socket.write(raw('wait=60'));
  await vi.waitFor(() => expect(answers).toHaveLength(2));
  connection.socket.destroy();

  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  await vi.waitFor(
    () => {
      collect();
      // Not the answers themselves: a failed expectation would keep them.
      expect(answers.filter((answer) => answer.deref() !== undefined).length).toBe(0);
    },
    { timeout: 5_000 },
  );
  expect(api.recorder.queuedBytes).toBeGreaterThan(0);
  open();
});

test('answers at once without a wait, whatever the store does', async () => {
  const { store, open } = gated();
  const api = await TestApi.start(store);
  expect((await api.post(RECORD)).status).toBe(202);
  expect((await api.post(RECORD, { prefer: 'wait=0' })).status).toBe(202);
  open();
});

test('moves what the database refuses to the rejected, at its place in the request', async () => {
  const store = new MemoryStore();
  store.refuses = 'poison';
  const api = await TestApi.start(store);
  const records = [{}, RECORD, { ...RECORD, details: 'poison' }, RECORD, {}];
  const answer = await api.post(records, { prefer: 'wait' });
  expect(answer.status).toBe(201);
  expect(answer.json).toMatchObject({ accepted: 2, rejected_count: 3, stored: 2 });
  expect(answer.json.rejected?.map(({ index }) => index)).toEqual([0, 2, 4]);
  expect(answer.json.rejected?.[1]?.problem).toBe('refused by the database');
});

test('answers 400 when the database refuses all of them', async () => {
  const store = new MemoryStore();
  store.refuses = 'poison';
  const api = await TestApi.start(store);
  const answer = await api.post({ ...RECORD, details: 'poison' }, { prefer: 'wait' });
  expect(answer.status).toBe(400);
  expect(answer.json).toMatchObject({ accepted: 0, rejected_count: 1 });
});

test('answers 503 when the records are left behind at close', async () => {
  const store = new MemoryStore();
  store.down = true;
  const api = await TestApi.start(store);
  const pending = api.post(RECORD, { prefer: 'wait=30' });
  await vi.waitFor(() => expect(api.recorder.queuedBytes).toBeGreaterThan(0));
  expect(await api.recorder.close(AbortSignal.timeout(50))).toEqual({ records: 1 });
  const answer = await pending;
  expect(answer.status).toBe(503);
  expect(answer.headers['retry-after']).toBeDefined();
  expect(answer.json).toMatchObject({ accepted: 0, rejected_count: 0 });
});

test('forgets a client that does not stay for its answer', async () => {
  const { store, open } = gated();
  const api = await TestApi.start(store);
  const connection = await api.connect();
  connection.socket.write(raw('wait=60'));
  await vi.waitFor(() => expect(api.recorder.queuedBytes).toBeGreaterThan(0));
  connection.socket.destroy();
  await once(connection.socket, 'close');
  open();
  await vi.waitFor(() => expect(store.tables.get('audit_events')).toHaveLength(1));
  expect((await api.post(RECORD, { prefer: 'wait' })).status).toBe(201);
});
