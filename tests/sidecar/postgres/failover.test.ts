import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { expectBalance } from '../e2e/support/account.ts';
import { Load } from '../e2e/support/load.ts';
import { listedIds, missing } from '../e2e/support/stored.ts';
import { PASSWORD, PostgresServer, SUPERUSER } from '../support/postgres-server.ts';
import { DURABLE, isFollowing, standbyOf, waitForStandbys } from '../support/postgres-standby.ts';
import { startSidecar } from '../support/sidecar-process.ts';

it('follows from a primary that dies to its standby, with all that it answered 201', async () => {
  await using primary = await PostgresServer.start({ version: 15, settings: DURABLE });
  const database = await primary.createDatabase();
  await using standby = await standbyOf(primary);
  await waitForStandbys(primary);
  await expect.poll(() => isFollowing(primary, 'sync'), { timeout: 15_000 }).toBe(true);

  // The standby comes first: at the start it is there, and passed over.
  const hosts = `127.0.0.1:${standby.port},127.0.0.1:${primary.port}`;
  const login = `${SUPERUSER}:${encodeURIComponent(PASSWORD)}`;
  await using sidecar = await startSidecar({
    STORAGE_DSN: `postgres://${login}@${hosts}/${database}?sslmode=disable&target_session_attrs=read-write`,
  });
  await sidecar.storage('up');
  const load = new Load(sidecar.api, { prefix: 'f', durable: 6, quick: 2 });
  await expect.poll(() => load.durable.size, { timeout: 20_000 }).toBeGreaterThan(500);
  const before = load.durable.size;

  await primary.kill();
  const { reason } = await sidecar.storage('down');
  expect(reason).not.toContain(PASSWORD);
  await sleep(300);
  expect(await standby.query('SELECT pg_promote()')).toEqual([{ pg_promote: true }]);
  await sidecar.storage('up', 30_000);
  await expect.poll(() => load.durable.size, { timeout: 20_000 }).toBeGreaterThan(before + 500);
  await load.stop();

  expect(load.strange).toEqual([]);
  await expect
    .poll(async () => missing(load.queued, await listedIds(sidecar.api)), { timeout: 20_000 })
    .toEqual([]);
  const listed = await listedIds(sidecar.api);
  expect(missing(load.durable, listed)).toEqual([]);
  expect(new Set(listed).size).toBe(listed.length);
  expectBalance(await sidecar.metrics());
});

it('leaves a primary that comes back read-only for the one that took its place', async () => {
  await using first = await PostgresServer.start({ version: 15, settings: DURABLE });
  const database = await first.createDatabase();
  await using second = await standbyOf(first);
  await expect.poll(() => isFollowing(first, 'async'), { timeout: 15_000 }).toBe(true);
  const hosts = `127.0.0.1:${first.port},127.0.0.1:${second.port}`;
  const login = `${SUPERUSER}:${encodeURIComponent(PASSWORD)}`;
  await using sidecar = await startSidecar({
    STORAGE_DSN: `postgres://${login}@${hosts}/${database}?sslmode=disable&target_session_attrs=read-write`,
  });
  await sidecar.storage('up');
  const load = new Load(sidecar.api, { prefix: 's', durable: 3, quick: 1 });
  await expect.poll(() => load.durable.size, { timeout: 20_000 }).toBeGreaterThan(100);

  // An orderly stop sends the standby all there is, so that even without waiting none is lost.
  await first.stop();
  await second.query('SELECT pg_promote()');
  await first.set({ default_transaction_read_only: 'on' });
  await first.start();
  await sidecar.storage('up', 30_000);
  const before = load.durable.size;
  await expect.poll(() => load.durable.size, { timeout: 20_000 }).toBeGreaterThan(before + 100);
  await load.stop();

  expect(load.strange).toEqual([]);
  const listed = await listedIds(sidecar.api);
  expect(missing(load.durable, listed)).toEqual([]);
  expect(new Set(listed).size).toBe(listed.length);
});
