import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Store } from '../../../sidecar/src/stores/store.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { DURABLE, standbyOf, waitForStandbys } from '../support/postgres-standby.ts';
import { storeAt } from '../support/postgres-store.ts';
import { audits, eventIds } from './records.ts';

/** What is acknowledged is on the standby, however the wait for it ended. */
let primary: PostgresServer;
let standby: PostgresServer;
let database: string;
const stores: Store[] = [];

beforeAll(async () => {
  // The ids of transactions are counted below: nobody else is to take any.
  primary = await PostgresServer.start({
    version: 15,
    settings: { ...DURABLE, autovacuum: 'off' },
  });
  standby = await standbyOf(primary);
  await waitForStandbys(primary);
});
afterAll(async () => {
  await standby?.[Symbol.asyncDispose]();
  await primary?.[Symbol.asyncDispose]();
});
beforeEach(async () => {
  database = await primary.createDatabase();
});
afterEach(async () => {
  standby.thaw();
  for (const store of stores.splice(0)) await store.close(AbortSignal.timeout(1_000));
});

async function openStore(appendMs: number): Promise<Store> {
  const store = storeAt(primary.dsn(database), { appendMs });
  stores.push(store);
  await store.open();
  return store;
}

const onStandby = async () =>
  (await standby.query('SELECT event_id FROM audit_events ORDER BY id', database)).map(
    ({ event_id }) => event_id,
  );

/** Cancels what waits for the standby, as an operator does who sees it hang. */
async function cancelWaits(): Promise<void> {
  const sql = `SELECT pg_cancel_backend(pid) AS done FROM pg_stat_activity
    WHERE datname = $1 AND wait_event = 'SyncRep'`;
  const cancelled = async () => (await primary.query(sql, 'postgres', [database])).length;
  await expect.poll(cancelled, { timeout: 10_000 }).toBeGreaterThan(0);
}

it('rows that only the primary has are not acknowledged by a retry that finds them there', async () => {
  const store = await openStore(1_000);
  await store.append(audits('a'));
  standby.freeze();
  const late = { class: 'transient', message: expect.stringContaining('no answer within 1 s') };
  await expect(store.append(audits('b'))).rejects.toMatchObject(late);
  // Our own cancel has ended the wait: the row is there for everybody.
  await store.open();
  await expect.poll(() => eventIds(store), { timeout: 10_000 }).toEqual(['a', 'b']);
  for (let retry = 0; retry < 2; retry++) {
    await expect(store.append(audits('b'))).rejects.toMatchObject(late);
    await store.open();
  }

  standby.thaw();
  expect(await store.append(audits('b', 'c', 'c'))).toEqual({ duplicates: [0, 2] });
  await expect.poll(onStandby, { timeout: 10_000 }).toEqual(['a', 'b', 'c']);
  expect(await eventIds(store)).toEqual(['a', 'b', 'c']);
});

it('a wait that somebody cancels is a failure, of the batch and of the look at its retry', async () => {
  const store = await openStore(20_000);
  standby.freeze();
  for (let attempt = 0; attempt < 2; attempt++) {
    const appending = store.append(audits('a')).catch((error: Error) => error);
    await cancelWaits();
    expect(await appending).toMatchObject({
      class: 'transient',
      message: 'cannot append: the wait for the synchronous standby was cancelled',
      hint: expect.stringContaining('synchronous_standby_names'),
    });
    await store.open();
  }
  standby.thaw();
  expect(await store.append(audits('a'))).toEqual({ duplicates: [0] });
  await expect.poll(onStandby, { timeout: 10_000 }).toEqual(['a']);
});

it('a batch of new rows takes one transaction and no barrier, though two of them are equal', async () => {
  const store = await openStore(20_000);
  await store.append(audits('a'));
  const nextId = async () => {
    const sql = 'SELECT pg_current_xact_id()::text AS id';
    return Number((await primary.query(sql, database))[0]?.id);
  };
  const before = await nextId();
  await store.append(audits('b', 'b'));
  // One by the batch, one by the question.
  expect((await nextId()) - before).toBe(2);
});
