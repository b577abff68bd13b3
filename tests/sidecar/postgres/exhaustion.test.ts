import { chmod, mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import type { Client } from 'pg';
import { expect, it } from 'vitest';
import { expectBalance } from '../e2e/support/account.ts';
import { Load } from '../e2e/support/load.ts';
import { listedIds, missing } from '../e2e/support/stored.ts';
import { smallVolume } from '../e2e/support/volume.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { storeAt } from '../support/postgres-store.ts';
import { startSidecar } from '../support/sidecar-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { audits, eventIds } from './records.ts';

const MIB = 1_024 * 1_024;
/** An empty cluster with two segments of its log, and some room. */
const DISK_BYTES = 160 * MIB;
const FREE_BYTES = 1.5 * MIB;

const tooMany = {
  class: 'transient',
  message: expect.stringContaining('too many connections (SQLSTATE 53300'),
  hint: expect.stringContaining('max_connections'),
};

it('a server at max_connections: writes go on, lists and newcomers are told, and come in later', async () => {
  await using server = await PostgresServer.start({
    settings: { max_connections: 8, superuser_reserved_connections: 3 },
  });
  await server.createRole('app');
  const database = await server.createDatabase('app');
  const store = storeAt(server.dsn(database, { user: 'app' }));
  const newcomer = storeAt(server.dsn(database, { user: 'app' }));
  await store.open();
  const others = await takeAll(server, database);
  try {
    await store.append(audits('a'));
    await expect(eventIds(store)).rejects.toMatchObject(tooMany);
    await expect(newcomer.open()).rejects.toMatchObject(tooMany);
    await store.append(audits('b'));
  } finally {
    for (const client of others) await client.end();
  }
  const opens = () =>
    newcomer.open().then(
      () => true,
      () => false,
    );
  await expect.poll(opens, { timeout: 10_000 }).toBe(true);
  expect(await eventIds(store)).toEqual(['a', 'b']);
  expect(await newcomer.append(audits('b', 'c'))).toEqual({ duplicates: [0] });
  await store.close(AbortSignal.timeout(1_000));
  await newcomer.close(AbortSignal.timeout(1_000));
});

/** Connects as the role of everyone until the server has no place left. */
async function takeAll(server: PostgresServer, database: string): Promise<Client[]> {
  const taken: Client[] = [];
  for (;;) {
    const client = await server.client(database, 'app').catch((error: { code?: string }) => error);
    if (!('query' in client)) {
      expect(client).toMatchObject({ code: '53300' });
      return taken;
    }
    taken.push(client);
  }
}

it('a server whose disk is full: said with what to do, and all is stored once when it has space', async () => {
  await using directory = await temporaryDirectory();
  await chmod(directory.root, 0o755);
  const data = directory.path('data');
  await mkdir(data);
  await using volume = smallVolume(data, DISK_BYTES);
  if (volume === undefined) {
    throw new Error('cannot mount a tmpfs: run the tests as root with CAP_SYS_ADMIN');
  }
  await using server = await PostgresServer.start({ version: 15, directory: data });
  const database = await server.createDatabase();
  await using sidecar = await startSidecar({ STORAGE_DSN: server.dsn(database) });
  await sidecar.storage('up');
  // The log of the server has a segment to itself, so that it is the tables that find no room.
  await server.query('SELECT pg_switch_wal()');
  await server.query('CHECKPOINT');
  await server.query('CREATE TABLE begins_a_segment ()');
  const { bavail, bsize } = await statfs(data);
  const ballast = `${data}/ballast`;
  await writeFile(ballast, Buffer.alloc(bavail * bsize - FREE_BYTES));

  const load = new Load(sidecar.api, { prefix: 'd', durable: 3, quick: 1, textBytes: 4_000 });
  const { reason } = await sidecar.storage('down', 30_000);
  expect(reason).toContain('the disk of the server is full (SQLSTATE 53100');
  expect(reason).toContain('enlarge its volume');
  await rm(ballast);
  await sidecar.storage('up', 30_000);
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
