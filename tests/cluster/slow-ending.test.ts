import { expect, it } from 'vitest';
import { expectBalance, expectSameOutcomes, lastAccount } from './support/accounts.ts';
import { eventually } from './support/eventually.ts';
import { followRouter } from './support/followed-router.ts';
import { createNamespace } from './support/namespace.ts';
import { startReachablePostgres } from './support/postgres.ts';
import { compare, parseJournal } from './support/records.ts';
import { load, postgres } from './support/router-load.ts';

const RELEASE = 'agenttier';

it('a rollout loses nothing where storage hangs until the Router has ended: the sidecar stores what it holds', async () => {
  const { server, dsn, storedIds } = await startReachablePostgres();
  await using _server = server;
  await using namespace = await createNamespace('helm4', 'slow-ending');
  const database = await server.createDatabase();
  const stringData = { dsn: dsn(database) };
  await namespace.apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db' }, stringData });
  await namespace.install(RELEASE, postgres('db'), ...load(100));
  await namespace.rolledOut();

  await using router = await followRouter(namespace);
  const session = await server.client(database);
  try {
    await session.query('BEGIN');
    await session.query('LOCK TABLE audit_events, sandbox_events, cost_snapshots');
    await eventually(async () => expect(router.account.now.queued).toBeGreaterThan(0));
    await namespace.kubectl('rollout', 'restart', `deployment/${RELEASE}-router`);
    await eventually(async () => expect(router.sidecarLog.text).toContain('"shutting down"'), 120);
    // The Router has handed over all that it had, and has been told that it is not stored.
    const { Unconfirmed } = lastAccount(await router.log.ended());
    expect(Unconfirmed).toBeGreaterThan(0);
    await eventually(async () =>
      expect(router.account.now.queued).toBeGreaterThanOrEqual(Unconfirmed),
    );
  } finally {
    await session.end();
  }

  expect(await router.sidecarLog.ended()).toContain('nothing is left behind, ending');
  const entries = parseJournal(router.log.text);
  expectSameOutcomes(entries, lastAccount(router.log.text));
  expectBalance(await router.account.last());
  await namespace.rolledOut();
  const found = compare(entries, await storedIds(database));
  expect(found).toMatchObject({ lost: [], twice: [], missing: [] });
  expect(found.durable).toBeLessThan(found.sent);
});
