import type { Client } from 'pg';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Recorder } from '../../../sidecar/src/recorder/recorder.ts';
import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import type { Store } from '../../../sidecar/src/stores/store.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { storeAt } from '../support/postgres-store.ts';
import { audits, eventIds } from './records.ts';

let server: PostgresServer;
beforeAll(async () => {
  server = await PostgresServer.start();
});
afterAll(() => server[Symbol.asyncDispose]());

/** A trigger of somebody's, which takes two milliseconds a row. */
const SLOW = `
CREATE FUNCTION look_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_sleep(0.002); RETURN new; END $$;
CREATE TRIGGER look_up BEFORE INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION look_up()`;

const ids = (count: number) =>
  Array.from({ length: count }, (_, i) => `row-${String(i).padStart(5, '0')}`);

async function withClient(database: string, work: (client: Client) => Promise<unknown>) {
  const client = await server.client(database);
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

/** Rows of each append that the store was asked for. */
function counted(store: Store): { store: Store; appends: number[] } {
  const appends: number[] = [];
  const append = store.append.bind(store);
  store.append = (rows) => {
    appends.push(rows.count);
    return append(rows);
  };
  return { store, appends };
}

/** Writes records of one request, and answers how the attempts went. */
async function write(dsn: string, all: readonly string[], appendMs: number) {
  const { store, appends } = counted(storeAt(dsn, { appendMs }));
  const recorder = new Recorder({
    store,
    queueBytes: 64 * 1_024 * 1_024,
    log: pino({ level: 'silent' }),
    schedule: { maxRetryMs: 100 },
  });
  recorder.start();
  const submitted = recorder.submit(AUDIT_EVENT, audits(...all), true);
  if (submitted.outcome !== 'queued') throw new Error(submitted.outcome);
  const settled = await submitted.settled;
  const stored = await eventIds(store);
  await recorder.close(AbortSignal.timeout(2_000));
  return { settled, stored, appends, failures: recorder.failures };
}

describe('a batch that takes longer than it may', () => {
  it('by the time that the sidecar gives it goes in parts, in order, after few attempts', {
    timeout: 60_000,
  }, async () => {
    const database = await server.createDatabase();
    const store = storeAt(server.dsn(database));
    await store.open();
    await store.close(AbortSignal.timeout(1_000));
    await withClient(database, (client) => client.query(SLOW));
    const all = ids(1_000);
    const { settled, stored, appends, failures } = await write(server.dsn(database), all, 400);
    expect(settled).toEqual({ stored: 1_000, duplicates: 0, dropped: [] });
    expect(stored).toEqual(all);
    expect(appends[0]).toBe(1_000);
    expect(failures.transient).toBeGreaterThan(0);
    // Some 170 go at once on an idle machine: 1,000, 500 and 250 fail.
    expect(failures.transient).toBeLessThan(3 + 2 * Math.log2(1_000));
    expect(appends.length).toBeLessThan(60);
  });

  it("by the role's statement_timeout does as well", { timeout: 60_000 }, async () => {
    await server.createRole('hurried');
    const database = await server.createDatabase('hurried');
    const dsn = server.dsn(database, { user: 'hurried' });
    const store = storeAt(dsn);
    await store.open();
    await store.close(AbortSignal.timeout(1_000));
    await withClient(database, (client) => client.query(SLOW));
    await server.query("ALTER ROLE hurried SET statement_timeout = '250ms'");
    const all = ids(500);
    const { settled, stored, failures } = await write(dsn, all, 20_000);
    expect(settled).toEqual({ stored: 500, duplicates: 0, dropped: [] });
    expect(stored).toEqual(all);
    expect(failures.transient).toBeGreaterThan(0);
    expect(failures.transient).toBeLessThan(3 + 2 * Math.log2(500));
  });
});
