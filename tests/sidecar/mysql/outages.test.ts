import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { expectBalance } from '../e2e/support/account.ts';
import { Load } from '../e2e/support/load.ts';
import { listedIds, missing } from '../e2e/support/stored.ts';
import { startMariadb } from '../support/mariadb-server.ts';
import { postAudit, RECORD } from '../support/post.ts';
import { type SidecarProcess, startSidecar } from '../support/sidecar-process.ts';
import { tcpProxy } from '../support/tcp-proxy.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** What was answered 201 is there at once, what was answered 202 soon; nothing is there twice. */
async function expectAllOnce({ api }: SidecarProcess, loads: readonly Load[]): Promise<void> {
  const listed = await listedIds(api);
  for (const load of loads) {
    expect(load.strange).toEqual([]);
    expect(missing(load.durable, listed)).toEqual([]);
  }
  await expect
    .poll(
      async () => {
        const now = await listedIds(api);
        return loads.flatMap((load) => missing(load.queued, now));
      },
      { timeout: 20_000 },
    )
    .toEqual([]);
  const all = await listedIds(api);
  expect(new Set(all).size).toBe(all.length);
}

it('keeps what it answered 201 once through kills and restarts of the server', async () => {
  await using server = await startMariadb();
  const database = await server.createDatabase();
  await using sidecar = await startSidecar({ STORAGE_DSN: server.dsn(database) });
  await sidecar.storage('up');
  const load = new Load(sidecar.api, { prefix: 'k', durable: 4, quick: 2 });
  for (let round = 0; round < 3; round++) {
    await sleep(300);
    await server.kill();
    const { reason } = await sidecar.storage('down');
    expect(reason).not.toBeNull();
    await server.start();
    await sidecar.storage('up');
  }
  await load.stop();
  expect(load.durable.size).toBeGreaterThan(100);
  await expectAllOnce(sidecar, [load]);
  expectBalance(await sidecar.metrics());
});

it('says within seconds that the server went while nothing was written', async () => {
  await using server = await startMariadb();
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
  await using server = await startMariadb();
  const database = await server.createDatabase();
  await server.stop();
  await using sidecar = await startSidecar({ STORAGE_DSN: server.dsn(database) });
  await expect
    .poll(async () => (await sidecar.readiness()).reason, { timeout: 15_000 })
    .toContain('nothing listens there (ECONNREFUSED)');
  const load = new Load(sidecar.api, { prefix: 'd', durable: 0, quick: 1 });
  await sleep(200);
  await load.stop();
  await server.start();
  await sidecar.storage('up');
  expect(load.queued.size).toBeGreaterThan(0);
  await expectAllOnce(sidecar, [load]);
});

it('takes records while the server does not answer, says so, and heals', async () => {
  await using server = await startMariadb();
  const database = await server.createDatabase();
  await using proxy = await tcpProxy({ host: '127.0.0.1', port: server.port });
  await using sidecar = await startSidecar({
    STORAGE_DSN: server.dsn(database, 'root', proxy.port),
  });
  await sidecar.storage('up');
  const load = new Load(sidecar.api, { prefix: 's', durable: 4, quick: 0 });
  await expect.poll(() => load.durable.size, { timeout: 15_000 }).toBeGreaterThan(100);

  proxy.mode = 'stall';
  const posts: string[] = [];
  const post = async () => {
    const event_id = `while-stalled-${posts.length}`;
    expect((await postAudit(sidecar.api, { ...RECORD, event_id })).status).toBe(202);
    posts.push(event_id);
  };
  for (let i = 0; i < 200; i++) await post();
  const { reason } = await sidecar.storage('down', 30_000);
  expect(reason).toContain('has not answered for');
  expect((await fetch(`${sidecar.ops}/readyz`)).status).toBe(200);
  await post();

  // What the server was sent meanwhile may or may not have come; a cut makes it unknown.
  proxy.cut();
  await sleep(500);
  await post();
  proxy.mode = 'pass';
  await sidecar.storage('up', 30_000);
  await load.stop();
  await expectAllOnce(sidecar, [load]);
  await expect
    .poll(async () => missing(posts, await listedIds(sidecar.api)), { timeout: 20_000 })
    .toEqual([]);
  expectBalance(await sidecar.metrics());
});

it('uses the password that STORAGE_DSN_FILE holds now, and loses nothing until it does', async () => {
  await using server = await startMariadb();
  await using directory = await temporaryDirectory();
  const database = await server.createDatabase();
  const file = directory.path('dsn');
  const write = (password: string) =>
    writeFile(file, `${server.dsn(database, `app:${password}`)}\n`);
  const rotate = (password: string) =>
    server.sql(`SET PASSWORD FOR app@'%' = PASSWORD('${password}')`);
  await server.sql(
    `CREATE USER app@'%' IDENTIFIED BY 'old-secret'; GRANT ALL ON ${database}.* TO app@'%'`,
  );
  const endConnections = () => server.sql('KILL USER app');
  await write('old-secret');
  await using sidecar = await startSidecar({ STORAGE_DRIVER: 'mysql', STORAGE_DSN_FILE: file });
  await sidecar.storage('up');
  const load = new Load(sidecar.api, { prefix: 'p', durable: 2, quick: 1 });

  await rotate('new-secret');
  await endConnections();
  await expect
    .poll(async () => (await sidecar.readiness()).reason, { timeout: 15_000 })
    .toContain('the server refuses user and password');
  expect((await sidecar.readiness()).reason).not.toContain('secret');
  await write('new-secret');
  await sidecar.storage('up', 40_000);

  // In the right order nobody is ever refused.
  const refusals = () => sidecar.logs.filter(({ msg }) => msg.includes('refuses user')).length;
  const before = refusals();
  await rotate('third-secret');
  await write('third-secret');
  await endConnections();
  const stored = load.durable.size;
  await expect.poll(() => load.durable.size, { timeout: 20_000 }).toBeGreaterThan(stored + 100);
  expect(refusals()).toBe(before);
  await load.stop();
  await expectAllOnce(sidecar, [load]);
  expect(JSON.stringify(sidecar.logs) + sidecar.stray).not.toContain('-secret');
});

it('three sidecars begin on one empty database, and one is killed and restarted', async () => {
  await using server = await startMariadb();
  const database = await server.createDatabase();
  await using running = new AsyncDisposableStack();
  const start = async () => running.use(await startSidecar({ STORAGE_DSN: server.dsn(database) }));
  const [first, second, third] = await Promise.all([start(), start(), start()]);
  await Promise.all([first, second, third].map((sidecar) => sidecar.storage('up', 30_000)));
  const migrations = [first, second, third].flatMap(({ logs }) =>
    logs.filter(({ msg }) => msg === 'migrated the database'),
  );
  expect(migrations).toHaveLength(1);

  const staying = [
    new Load(first.api, { prefix: 'a', durable: 3, quick: 1 }),
    new Load(second.api, { prefix: 'b', durable: 3, quick: 1 }),
  ];
  const cut = new Load(third.api, { prefix: 'c', durable: 3, quick: 0 });
  await expect.poll(() => cut.durable.size, { timeout: 15_000 }).toBeGreaterThan(500);
  await third.kill();
  await cut.cut();
  const fourth = await start();
  await fourth.storage('up', 30_000);
  const last = new Load(fourth.api, { prefix: 'd', durable: 3, quick: 1 });
  await expect.poll(() => last.durable.size, { timeout: 15_000 }).toBeGreaterThan(500);
  await Promise.all([...staying, last].map((load) => load.stop()));
  await expectAllOnce(fourth, [...staying, cut, last]);
  for (const sidecar of [first, second, fourth]) expectBalance(await sidecar.metrics());
});
