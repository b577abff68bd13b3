import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { seededRandom } from '../support/seeded-random.ts';
import { startSidecar } from '../support/sidecar-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { Load } from './support/load.ts';
import { copyDatabase, idsInFile, listedIds, missing } from './support/stored.ts';

const ROUNDS = 20;

it('keeps every record that was answered 201 through 20 kills under load', {
  timeout: 180_000,
}, async () => {
  await using directory = await temporaryDirectory();
  const path = directory.path('data', 'agenttier.db');
  const env = { STORAGE_SQLITE_PATH: path };
  const random = seededRandom(9);
  const durable: string[] = [];

  for (let round = 0; round < ROUNDS; round += 1) {
    await using sidecar = await startSidecar(env);
    await sidecar.storage('up');
    // The lock that the killed one left is taken over at once: no attempt to open failed.
    expect(sidecar.logs.filter(({ level }) => level === 'error')).toEqual([]);
    const load = new Load(sidecar.api, {
      prefix: `r${round}`,
      durable: 6,
      quick: 2,
      textBytes: 10_000,
    });
    while (load.durable.size === 0 && sidecar.isRunning) await sleep(5);
    await sleep(random() * 150);
    await sidecar.kill();
    await load.cut();
    expect(load.strange).toEqual([]);
    durable.push(...load.durable);

    const copy = copyDatabase(path, directory.path(`copy-${round}`));
    expect(missing(durable, idsInFile(copy))).toEqual([]);
  }

  await using sidecar = await startSidecar(env);
  await sidecar.storage('up');
  const listed = await listedIds(sidecar.api);
  expect(missing(durable, listed)).toEqual([]);
  expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
  expect(readdirSync(directory.path('data'))).toEqual(['agenttier.db']);
  expect(idsInFile(path).sort()).toEqual(listed.sort());
  expect(new Set(listed).size).toBe(listed.length);
  expect(durable.length).toBeGreaterThan(ROUNDS * 20);
});
