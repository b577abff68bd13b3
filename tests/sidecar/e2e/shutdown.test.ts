import { mkdirSync, readdirSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { startSidecar } from '../support/sidecar-process.ts';
import { until } from '../support/sqlite-store.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { KINDS, records } from './support/kinds.ts';
import { Load } from './support/load.ts';
import { idsInFile, missing } from './support/stored.ts';
import { smallVolume } from './support/volume.ts';

const MIB = 1_024 * 1_024;

/** Posts audit events and waits for the disk. */
async function postDurable(api: string, prefix: string, count: number): Promise<string[]> {
  const batch = records(KINDS[0], prefix, count);
  const { status } = await fetch(`${api}${KINDS[0].path}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Prefer: 'wait=20' },
    body: JSON.stringify(batch),
  });
  expect(status).toBe(201);
  return batch.map(({ event_id }) => event_id);
}

it('SIGTERM under load: exit 0, one file, and every 201 and every 202 in it', {
  timeout: 60_000,
}, async () => {
  await using directory = await temporaryDirectory();
  const path = directory.path('data', 'agenttier.db');
  await using sidecar = await startSidecar({
    STORAGE_SQLITE_PATH: path,
    STORAGE_SHUTDOWN_GRACE: '6s',
  });
  await sidecar.storage('up');
  const load = new Load(sidecar.api, { prefix: 's', durable: 5, quick: 3 });
  await until(() => load.durable.size > 200 && load.queued.size > 200);
  // The load goes on until the sidecar refuses and is gone.
  const exit = await sidecar.stop();
  await load.cut();
  expect(exit).toEqual({ code: 0, signal: null });
  expect(load.strange).toEqual([]);
  expect(load.refused.size).toBeGreaterThan(0);
  expect(readdirSync(directory.path('data'))).toEqual(['agenttier.db']);
  const stored = idsInFile(path);
  expect(missing(load.durable, stored)).toEqual([]);
  expect(missing(load.queued, stored)).toEqual([]);
});

it.for([
  ['its lock was deleted', (path: string) => rmSync(`${path}.lock`), 1_100],
  ['its shm directory was deleted', (path: string) => rmdirSync(`${path}-shm`), 1_100],
  ['it was frozen', undefined, 200],
] as const)(
  'SIGTERM after %s: one file, and every 201 in it',
  {
    timeout: 60_000,
  },
  async ([, harm, restMs]) => {
    await using directory = await temporaryDirectory();
    const path = directory.path('data', 'agenttier.db');
    await using sidecar = await startSidecar({ STORAGE_SQLITE_PATH: path });
    await sidecar.storage('up');
    const ids = await postDurable(sidecar.api, 'd', 50);
    if (harm === undefined) {
      sidecar.signal('SIGSTOP');
      await sleep(5_500);
      sidecar.signal('SIGCONT');
    } else {
      harm(path);
    }
    await sleep(restMs);
    expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
    expect(readdirSync(directory.path('data'))).toEqual(['agenttier.db']);
    expect(missing(ids, idsInFile(path))).toEqual([]);
  },
);

it('SIGTERM on a full volume: exit 1, and what belongs to the file is named and kept', {
  timeout: 90_000,
}, async ({ skip }) => {
  await using directory = await temporaryDirectory();
  mkdirSync(directory.path('volume'));
  await using volume = smallVolume(directory.path('volume'), 16 * MIB);
  if (volume === undefined) return skip('this machine does not let us mount a tmpfs');
  const path = directory.path('volume', 'agenttier.db');
  const environment = { STORAGE_SQLITE_PATH: path };
  const ids: string[] = [];
  {
    await using sidecar = await startSidecar(environment);
    await sidecar.storage('up');
    for (let n = 0; n < 20; n++) ids.push(...(await postDurable(sidecar.api, `f${n}`, 100)));
    // The disk is full before the WAL has been moved at rest.
    try {
      writeFileSync(directory.path('volume', 'ballast'), Buffer.alloc(16 * MIB));
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' });
    }
    expect(await sidecar.stop()).toEqual({ code: 1, signal: null });
    const end = await sidecar.log(({ msg }) => msg?.endsWith('ending') === true);
    expect(end.msg).toBe('nothing is lost, but the store did not close in order, ending');
    expect(end.reason).toMatch(
      /^agenttier\.db was not closed in order: .*ENOSPC.*agenttier\.db-wal/,
    );
  }
  expect(statSync(`${path}-wal`).size).toBeGreaterThan(0);
  expect(statSync(`${path}-shm`).isDirectory()).toBe(true);

  rmSync(directory.path('volume', 'ballast'));
  await using next = await startSidecar(environment);
  await next.storage('up');
  expect(await next.stop()).toEqual({ code: 0, signal: null });
  expect(missing(ids, idsInFile(path))).toEqual([]);
});
