import { expect, test, vi } from 'vitest';
import { noopStore } from '../../../sidecar/src/stores/noop.ts';
import { TestApi } from './support/listener.ts';

const RECORD = { action: 'create', resource: 'sandbox' };

test('answers every POST 503 while the recorder closes, counts it, and goes on listening', async () => {
  const api = await TestApi.start();
  await api.recorder.close(AbortSignal.timeout(1_000));
  for (let i = 1; i <= 3; i++) {
    const answer = await api.post(RECORD);
    expect(answer.status).toBe(503);
    expect(answer.headers).toMatchObject({ connection: 'close', 'retry-after': '1' });
    expect(api.recorder.ledger.rejected.closing[0]).toBe(i);
  }
  expect((await api.get('/openapi.json')).status).toBe(200);
});

test('tells since when no records have come', async () => {
  const api = await TestApi.start(noopStore());
  await vi.waitFor(() => expect(api.api.idleMs).toBeGreaterThan(100));
  const before = api.api.idleMs;
  await api.post(RECORD);
  expect(api.api.idleMs).toBeLessThan(before);
});
