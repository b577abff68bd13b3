import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { startSidecar } from '../support/sidecar-process.ts';
import { until } from '../support/sqlite-store.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { count, expectBalance, queued } from './support/account.ts';
import { KINDS, type KindCase, records } from './support/kinds.ts';

/** A body, and what of it counts as received once the answer has this status. */
interface Sent {
  readonly body: string;
  readonly type?: string;
  readonly status: number;
  readonly received: number;
  readonly valid: number;
}

const ndjson = (list: readonly unknown[]) => list.map((one) => JSON.stringify(one)).join('\n');

/** What a Router, and a broken one, may send. */
function bodies(kind: KindCase, prefix: string): Sent[] {
  const good = records(kind, prefix, 10);
  const bad = [{ nonsense: true }, 7, 'x'];
  return [
    { body: JSON.stringify(good), status: 202, received: 10, valid: 10 },
    { body: JSON.stringify([...bad, ...good]), status: 202, received: 13, valid: 10 },
    { body: JSON.stringify(bad), status: 400, received: 3, valid: 0 },
    { body: '[{"a":', status: 400, received: 0, valid: 0 },
    { body: '', status: 400, received: 0, valid: 0 },
    { body: '[]', status: 202, received: 0, valid: 0 },
    {
      body: ndjson([...bad, ...good]),
      type: 'application/x-ndjson',
      status: 202,
      received: 13,
      valid: 10,
    },
    { body: ' '.repeat(8 * 2 ** 20 + 1), status: 413, received: 0, valid: 0 },
    { body: '{}', type: 'text/plain', status: 415, received: 0, valid: 0 },
  ];
}

/** Begins a POST of valid records and hangs up in the middle of it. */
async function breakOff(api: string, kind: KindCase): Promise<void> {
  const { hostname, port } = new URL(api);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  const half = ndjson(records(kind, 'never', 50));
  socket.write(
    `POST ${kind.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n` +
      `Content-Length: ${half.length * 2}\r\n\r\n${half}`,
  );
  await sleep(20);
  socket.destroy();
}

it('the account of the records balances at each look under every kind of load, to the last record', {
  timeout: 60_000,
}, async () => {
  await using directory = await temporaryDirectory();
  await using sidecar = await startSidecar({ STORAGE_SQLITE_PATH: directory.path('a.db') });
  await sidecar.storage('up');
  let received = 0;
  let stored = 0;
  let isOver = false;

  const lanes = KINDS.flatMap((kind) => [
    (async () => {
      for (let round = 0; round < 6; round += 1) {
        // Each second round sends the event ids of the one before again.
        const fresh = round % 2 === 0;
        for (const [n, sent] of bodies(kind, `${round >> 1}`).entries()) {
          const response = await fetch(sidecar.api + kind.path, {
            method: 'POST',
            headers: {
              'Content-Type': sent.type ?? 'application/json',
              ...(n === 0 && { Prefer: 'wait=30' }),
            },
            body: sent.body,
          });
          await response.text();
          const wanted = n === 0 ? 201 : sent.status;
          expect(response.status, sent.body.slice(0, 80)).toBe(wanted);
          received += sent.received;
          // All good bodies of a round hold the same event ids.
          if (n === 0 && fresh) stored += sent.valid;
        }
      }
    })(),
    (async () => {
      for (let n = 0; n < 10; n += 1) await breakOff(sidecar.api, kind);
    })(),
  ]);
  const looking = (async () => {
    let looks = 0;
    for (; !isOver; looks += 1) expectBalance(await sidecar.metrics());
    return looks;
  })();
  await Promise.all(lanes);
  isOver = true;
  expect(await looking).toBeGreaterThan(10);

  await until(async () => queued(await sidecar.metrics()) === 0);
  const metrics = await sidecar.metrics();
  expectBalance(metrics);
  expect(count(metrics, 'received')).toBe(received);
  expect(count(metrics, 'stored')).toBe(stored);
  expect(count(metrics, 'dropped')).toBe(0);
  expect((await sidecar.stop()).code).toBe(0);
});
