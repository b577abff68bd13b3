import { afterAll, beforeAll, expect, it } from 'vitest';
import { PostgresServer } from '../support/postgres-server.ts';
import { storeAt } from '../support/postgres-store.ts';

/** Settings that take something from what a 201 promises are told at the start. */
let server: PostgresServer;
beforeAll(async () => {
  server = await PostgresServer.start();
});
afterAll(() => server[Symbol.asyncDispose]());

async function warningsOn(database: string): Promise<readonly string[]> {
  const store = storeAt(server.dsn(database));
  await store.open();
  const warnings = store.warnings?.() ?? [];
  await store.close(AbortSignal.timeout(1_000));
  return warnings.filter((warning) => !warning.startsWith('fsync'));
}

it('warns of what a synchronous standby is not waited for, where there is one', async () => {
  const database = await server.createDatabase();
  const alter = (setting: string) =>
    server.query(`ALTER ROLE postgres IN DATABASE ${database} SET ${setting}`);
  await warningsOn(database);
  await alter("synchronous_commit = 'local'");
  await alter("client_min_messages = 'error'");
  expect(await warningsOn(database)).toEqual([]);

  // Nobody has that name: a commit would wait for ever, and none is made from here on.
  await server.set({ synchronous_standby_names: 'nobody' });
  await server.reload();
  expect(await warningsOn(database)).toEqual([
    expect.stringMatching(/^synchronous_commit is local: .* SET synchronous_commit = on$/),
    expect.stringMatching(/^client_min_messages is error: .* SET client_min_messages = warning$/),
  ]);
  await server.set({ synchronous_standby_names: '' });
  await server.reload();
  await alter("synchronous_commit = 'remote_write'");
  await alter("client_min_messages = 'warning'");
  await server.set({ synchronous_standby_names: 'nobody' });
  await server.reload();
  expect(await warningsOn(database)).toEqual([
    expect.stringMatching(/^synchronous_commit is remote_write: the disks of the standbys/),
  ]);
});

it('warns of commits that wait for no disk at all', async () => {
  await server.set({ synchronous_standby_names: '' });
  await server.reload();
  const database = await server.createDatabase();
  await server.query(`ALTER DATABASE ${database} SET synchronous_commit = 'off'`);
  expect(await warningsOn(database)).toEqual([expect.stringContaining('may be lost')]);
});
