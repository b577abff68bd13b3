import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, writeFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { COST_SNAPSHOT } from '../../../sidecar/src/records/kinds.ts';
import { freePort } from '../support/free-port.ts';
import { PASSWORD, PostgresServer, SUPERUSER } from '../support/postgres-server.ts';
import { storeAt } from '../support/postgres-store.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { audits, costs, eventIds, listAll } from './records.ts';

const PGBOUNCER = '/usr/sbin/pgbouncer';

/** Debian's pgbouncer before a server, one server connection for each transaction. */
async function startPooler(server: PostgresServer, database: string, directory: string) {
  if (!existsSync(PGBOUNCER)) throw new Error('pgbouncer is missing: apt-get install pgbouncer');
  const port = await freePort();
  const users = `${directory}/users.txt`;
  const config = `${directory}/pgbouncer.ini`;
  await writeFile(users, `"${SUPERUSER}" "${PASSWORD}"\n`);
  await writeFile(
    config,
    `[databases]\n${database} = host=127.0.0.1 port=${server.port}\n[pgbouncer]\n` +
      `listen_addr = 127.0.0.1\nlisten_port = ${port}\nunix_socket_dir =\nauth_type = scram-sha-256\n` +
      `auth_file = ${users}\npool_mode = transaction\ndefault_pool_size = 2\n`,
  );
  await chmod(directory, 0o755);
  const who = process.getuid?.() === 0 ? ['--reuid', 'postgres', '--clear-groups'] : [];
  const args = [...who, '--pdeathsig', 'KILL', '--', PGBOUNCER, config];
  const child = spawn('setpriv', args, { stdio: 'ignore' });
  return {
    port,
    async [Symbol.asyncDispose]() {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}

it('works through a pooler in transaction mode', async () => {
  await using server = await PostgresServer.start({ version: 15 });
  await using directory = await temporaryDirectory();
  const database = await server.createDatabase();
  await using pooler = await startPooler(server, database, directory.root);
  const stores = [1, 2, 3].map(() => storeAt(server.dsn(database, { port: pooler.port })));
  for (const store of stores) {
    const opens = () =>
      store.open().then(
        () => true,
        () => false,
      );
    await expect.poll(opens, { timeout: 10_000 }).toBe(true);
  }
  for (let i = 0; i < 20; i++) {
    await Promise.all(stores.map((store, n) => store.append(audits(`${n}-${i}`))));
    await Promise.all(stores.map((store) => store.probe?.()));
    const again = await Promise.all(stores.map((store, n) => store.append(audits(`${n}-${i}`))));
    expect(again).toEqual(stores.map(() => ({ duplicates: [0] })));
  }
  const lists = await Promise.all(stores.map(eventIds));
  for (const list of lists) expect(new Set(list).size).toBe(60);
  for (const store of stores) await store.close(AbortSignal.timeout(1_000));
});

it('answers doubles bit for bit', async () => {
  await using server = await PostgresServer.start();
  const store = storeAt(server.dsn(await server.createDatabase()));
  const random = seededRandom(3);
  const view = new DataView(new ArrayBuffer(8));
  const numbers: number[] = [];
  while (numbers.length < 1_000) {
    view.setUint32(0, Math.floor(random() * 2 ** 31));
    view.setUint32(4, Math.floor(random() * 2 ** 32));
    if (Number.isFinite(view.getFloat64(0))) numbers.push(view.getFloat64(0));
  }
  await store.open();
  await store.append(costs(...numbers.map((cpu_hours) => ({ cpu_hours }))));
  const { items } = await listAll(store, { kind: COST_SNAPSHOT });
  expect(items.map(({ cpu_hours }) => cpu_hours)).toEqual(numbers);
  await store.close(AbortSignal.timeout(1_000));
});
