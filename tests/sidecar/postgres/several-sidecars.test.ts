import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { missing } from '../e2e/support/stored.ts';
import { postAudit, RECORD } from '../support/post.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { type SidecarProcess, startSidecar } from '../support/sidecar-process.ts';

const SIDECARS = 3;
const LANES = 2;
const BATCH = 500;
/** For each lane: 300,000 records in all. */
const BATCHES = 100;
const WITHIN_MS = 90_000;

/**
 * Posts its batches one after another until each was answered 201; what a sidecar left without an
 * answer is sent again, to the one that has taken its place.
 */
async function write(api: () => string, answered: string[]): Promise<{ repeated: number }> {
  let repeated = 0;
  const deadline = performance.now() + WITHIN_MS;
  for (let n = 0; n < BATCHES; n++) {
    const records = Array.from({ length: BATCH }, () => ({ ...RECORD, event_id: randomUUID() }));
    for (;;) {
      if (performance.now() > deadline) throw new Error('the records were not taken in time');
      const response = await postAudit(api(), records, { Prefer: 'wait=30' }).catch(() => null);
      const accepted = (await response?.json().catch(() => null)) as { accepted?: number } | null;
      if (response?.status === 201 && accepted?.accepted === BATCH) break;
      repeated += 1;
      await sleep(20);
    }
    answered.push(...records.map(({ event_id }) => event_id));
  }
  return { repeated };
}

it('lets three start at once on an empty database, and keeps what they were sent once though one is killed', async () => {
  await using server = await PostgresServer.start({ version: 15, settings: { fsync: 'on' } });
  const env = { STORAGE_DSN: server.dsn(await server.createDatabase()) };
  await using stack = new AsyncDisposableStack();
  const sidecars: SidecarProcess[] = await Promise.all(
    Array.from({ length: SIDECARS }, () => startSidecar(env)),
  );
  stack.defer(async () => {
    for (const sidecar of sidecars) await sidecar[Symbol.asyncDispose]();
  });
  await Promise.all(sidecars.map((sidecar) => sidecar.storage('up')));
  const connected = sidecars.flatMap(({ logs }) =>
    logs.filter(({ msg }) => msg === 'connected to Postgres'),
  );
  expect(connected).toHaveLength(SIDECARS);
  expect(connected.filter(({ to }) => to !== undefined)).toMatchObject([{ from: 0, to: 1 }]);
  const bad = ({ level }: { level: string }) => level === 'error' || level === 'warn';
  expect(sidecars.flatMap(({ logs }) => logs.filter(bad))).toEqual([]);

  const answered: string[] = [];
  const lanes = sidecars.flatMap((_, i) =>
    Array.from({ length: LANES }, () => write(() => sidecars[i]?.api ?? '', answered)),
  );
  const writing = Promise.all(lanes);
  const total = SIDECARS * LANES * BATCHES * BATCH;
  await expect.poll(() => answered.length, { timeout: WITHIN_MS }).toBeGreaterThan(total / 3);
  await sidecars[1]?.kill();
  await sleep(200);
  expect(answered.length).toBeLessThan(total);
  sidecars[1] = await startSidecar(env);

  const done = await writing;
  // The killed one left its lanes without an answer.
  expect(done.slice(LANES, 2 * LANES).every(({ repeated }) => repeated > 0)).toBe(true);
  const database = new URL(env.STORAGE_DSN).pathname.slice(1);
  const rows = await server.query('SELECT event_id FROM audit_events', database);
  const stored = rows.map(({ event_id }) => String(event_id));
  expect(answered).toHaveLength(total);
  expect(missing(answered, stored)).toEqual([]);
  expect(stored).toHaveLength(total);
  for (const sidecar of sidecars) {
    expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
  }
});
