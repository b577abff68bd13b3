import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { expectBalance } from '../e2e/support/account.ts';
import { Load } from '../e2e/support/load.ts';
import { listedIds, missing } from '../e2e/support/stored.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { startSidecar } from '../support/sidecar-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

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

it('says within seconds that the server went while nothing was written', async () => {
  await using server = await PostgresServer.start();
  await using sidecar = await startSidecar({
    STORAGE_DSN: server.dsn(await server.createDatabase()),
  });
  await sidecar.storage('up');
  await sleep(1_000);
  await server.stop();
  // A trial write is due a minute after the last one.
  await sidecar.storage('down', 20_000);
  await server.start();
  await sidecar.storage('up');
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

it('uses the password that STORAGE_DSN_FILE holds now, and loses nothing until it does', async () => {
  await using server = await PostgresServer.start();
  await using directory = await temporaryDirectory();
  await server.createRole('app');
  const database = await server.createDatabase('app');
  const file = directory.path('dsn');
  const dsn = (password: string) =>
    `host=127.0.0.1 port=${server.port} user=app password=${password} dbname=${database} sslmode=disable\n`;
  const rotate = (password: string) => server.query(`ALTER ROLE app PASSWORD '${password}'`);
  const endConnections = () =>
    server.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'");
  await rotate('old-secret');
  await writeFile(file, dsn('old-secret'));
  await using sidecar = await startSidecar({ STORAGE_DRIVER: 'postgres', STORAGE_DSN_FILE: file });
  await sidecar.storage('up');
  const load = new Load(sidecar.api, { prefix: 'p', durable: 2, quick: 1 });

  await rotate('new-secret');
  await endConnections();
  const reason = async () => (await sidecar.readiness()).reason;
  await expect.poll(reason, { timeout: 20_000 }).toContain('wrong user or password');
  expect(await reason()).not.toContain('secret');
  await writeFile(file, dsn('new-secret'));
  await sidecar.storage('up', 40_000);

  // In the right order nobody is ever refused.
  const refusals = () => sidecar.logs.filter(({ msg }) => msg.includes('wrong user')).length;
  const before = refusals();
  await rotate('third-secret');
  await writeFile(file, dsn('third-secret'));
  await endConnections();
  const stored = load.durable.size;
  await expect.poll(() => load.durable.size, { timeout: 20_000 }).toBeGreaterThan(stored + 100);
  expect(refusals()).toBe(before);
  await load.stop();
  expect(load.strange).toEqual([]);
  await expect
    .poll(async () => missing(load.queued, await listedIds(sidecar.api)), { timeout: 20_000 })
    .toEqual([]);
  expect(missing(load.durable, await listedIds(sidecar.api))).toEqual([]);
  expect(JSON.stringify(sidecar.logs) + sidecar.stray).not.toContain('-secret');
});
