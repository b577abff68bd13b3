import { expect, test, vi } from 'vitest';
import { noopStore } from '../../../sidecar/src/stores/noop.ts';
import { AUDIT, JSON_HEADERS, TestApi } from './support/listener.ts';

const RECORD = { action: 'create', resource: 'sandbox' };

test('answers every POST 503 while closing, and goes on listening', async () => {
  const api = await TestApi.start(noopStore());
  api.api.beginClosing();
  for (let i = 0; i < 3; i++) {
    const answer = await api.post(RECORD);
    expect(answer.status).toBe(503);
    expect(answer.headers).toMatchObject({ connection: 'close', 'retry-after': '1' });
  }
  expect(api.recorder.ledger.received[0]).toBe(0);
  expect((await api.get(AUDIT)).status).toBe(200);
});

test('lets a client that is sending read why it is refused', async () => {
  const api = await TestApi.start(noopStore());
  api.api.beginClosing();
  const body = ' '.repeat(4 * 1024 * 1024);
  const answer = await api.send(AUDIT, { headers: JSON_HEADERS, body });
  expect(answer.status).toBe(503);
});

test('finishes a POST that came before', async () => {
  const api = await TestApi.start(noopStore());
  const connection = await api.connect();
  const body = JSON.stringify(RECORD);
  connection.socket.write(
    `POST ${AUDIT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
  );
  await vi.waitFor(() => expect(api.api.bodyBytes).toBeGreaterThan(0));
  api.api.beginClosing();
  connection.socket.write(body);
  expect(await connection.until(/\}$/)).toMatch(/^HTTP\/1.1 202 /);
});

test('tells since when no records have come', async () => {
  const api = await TestApi.start(noopStore());
  await vi.waitFor(() => expect(api.api.idleMs).toBeGreaterThan(100));
  const before = api.api.idleMs;
  await api.post(RECORD);
  expect(api.api.idleMs).toBeLessThan(before);
});
