import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { expectBalance } from '../e2e/support/account.ts';
import { Load } from '../e2e/support/load.ts';
import { listedIds, missing } from '../e2e/support/stored.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { startSidecar } from '../support/sidecar-process.ts';

/** Durable where what a kill leaves on the disk is looked at. */
const DURABLE = { fsync: 'on' } as const;

it('keeps what it answered 201 once through kills and restarts of the server', async () => {
  await using server = await PostgresServer.start({ settings: DURABLE });
  const database = await server.createDatabase();
  await using sidecar = await startSidecar({ STORAGE_DSN: server.dsn(database) });
  await sidecar.storage('up');
  const load = new Load(sidecar.api, { prefix: 'k', durable: 4, quick: 2 });
  for (let round = 0; round < 3; round++) {
    await sleep(300);
    await server.kill();
    await sidecar.storage('down');
    await server.start();
    await sidecar.storage('up');
  }
  await load.stop();
  expect(load.strange).toEqual([]);
  const listed = await listedIds(sidecar.api);
  expect(missing(load.durable, listed)).toEqual([]);
  expect(new Set(listed).size).toBe(listed.length);
  expect(load.durable.size).toBeGreaterThan(100);
  expectBalance(await sidecar.metrics());
});

it('starts while the server is down, and takes records meanwhile', async () => {
  await using server = await PostgresServer.start();
  const database = await server.createDatabase();
  await server.stop();
  await using sidecar = await startSidecar({ STORAGE_DSN: server.dsn(database) });
  const { reason } = await sidecar.storage('down');
  expect(reason).toMatch(/connection refused|being opened/);
  const load = new Load(sidecar.api, { prefix: 'd', durable: 0, quick: 1 });
  await sleep(200);
  await load.stop();
  await server.start();
  await sidecar.storage('up');
  await expect
    .poll(async () => missing(load.queued, await listedIds(sidecar.api)), { timeout: 20_000 })
    .toEqual([]);
});
