import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { startSidecar } from '../support/sidecar-process.ts';
import { until } from '../support/sqlite-store.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { count, expectBalance, queued } from './support/account.ts';
import { KINDS, records } from './support/kinds.ts';
import { idsInFile, listedIds } from './support/stored.ts';
import { smallVolume } from './support/volume.ts';

const MIB = 1_024 * 1_024;

it('a full disk: 202 until the queue is full, then 503, and all is well when space returns', {
  timeout: 90_000,
}, async ({ skip }) => {
  await using directory = await temporaryDirectory();
  mkdirSync(directory.path('volume'));
  await using volume = smallVolume(directory.path('volume'), 4 * MIB);
  if (volume === undefined) return skip('this machine does not let us mount a tmpfs');
  const path = directory.path('volume', 'agenttier.db');
  const ballast = directory.path('volume', 'ballast');
  writeFileSync(ballast, Buffer.alloc(1.5 * MIB));
  await using sidecar = await startSidecar({
    STORAGE_SQLITE_PATH: path,
    STORAGE_QUEUE_BYTES: '256Ki',
  });
  await sidecar.storage('up');

  const accepted: string[] = [];
  const statuses: number[] = [];
  /** Posts one batch of some 36 KB. */
  async function post(): Promise<number> {
    const batch = records(KINDS[0], `b${statuses.length}`, 6).map((record) => ({
      ...record,
      details: 'x'.repeat(6_000),
    }));
    const response = await fetch(`${sidecar.api}${KINDS[0].path}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(batch),
    });
    statuses.push(response.status);
    if (response.status === 202) accepted.push(...batch.map(({ event_id }) => event_id));
    else {
      expect(response.status).toBe(503);
      expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
    }
    expectBalance(await sidecar.metrics());
    return response.status;
  }

  while ((await sidecar.readiness()).storage === 'up') await post();
  await until(async () => (await sidecar.readiness()).reason?.includes('ENOSPC'));
  const { reason } = await sidecar.readiness();
  expect(reason).toContain('free space or enlarge the volume');
  await until(async () => (await post()) === 503);
  expect(queued(await sidecar.metrics())).toBeGreaterThan(0);
  expect((await sidecar.metrics()).get('agenttier_storage_up{driver="sqlite"}')).toBe(0);
  expect((await fetch(`${sidecar.ops}/healthz`)).status).toBe(200);

  // What is stored is read meanwhile, through each of the recorder's attempts.
  const stored = count(await sidecar.metrics(), 'stored');
  const until6s = performance.now() + 6_000;
  while (performance.now() < until6s) {
    expect((await listedIds(sidecar.api)).length).toBeGreaterThanOrEqual(stored);
    expect((await sidecar.readiness()).storage).toBe('down');
  }

  rmSync(ballast);
  await sidecar.storage('up', 30_000);
  await until(async () => queued(await sidecar.metrics()) === 0);
  expect(await post()).toBe(202);
  await until(async () => queued(await sidecar.metrics()) === 0);
  const metrics = await sidecar.metrics();
  expectBalance(metrics);
  expect(count(metrics, 'dropped')).toBe(0);
  expect(count(metrics, 'stored') + count(metrics, 'duplicate')).toBe(accepted.length);
  expect((await listedIds(sidecar.api)).sort()).toEqual(accepted.sort());
  expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
  expect(idsInFile(path).sort()).toEqual(accepted);
});
