import { afterAll, beforeAll, expect, it } from 'vitest';
import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import type { Rows } from '../../../sidecar/src/records/rows.ts';
import type { Store } from '../../../sidecar/src/stores/store.ts';
import { type MariadbServer, startMariadb } from '../support/mariadb-server.ts';
import { readAll, rowsOf, storeOn } from './harness.ts';

let server: MariadbServer;
beforeAll(async () => {
  server = await startMariadb();
});
afterAll(() => server[Symbol.asyncDispose]());

const again = ({ bytes, count }: Rows): Rows => ({ bytes: Buffer.from(bytes), count });

const SWALLOWED = {
  class: 'transient',
  reason: expect.stringMatching(/audit_events swallows a row .* is new; drop what makes/),
};

it('acknowledges no record that a unique index added meanwhile swallows', async () => {
  const database = await server.createDatabase();
  await using store = storeOn(server.dsn(database));
  await store.open();
  await server.sql('CREATE UNIQUE INDEX one ON audit_events (sandbox_id(20), ts)', database);
  await store.append(rowsOf(AUDIT_EVENT, 1));
  const rows = rowsOf(AUDIT_EVENT, 3, (i) => ({ sandbox_id: `clash-${Math.min(i, 1)}` }));
  await expect(store.append(again(rows))).rejects.toMatchObject(SWALLOWED);
  await expect(store.open()).rejects.toThrow('a unique index on something else than event_id');
  await server.sql('DROP INDEX one ON audit_events', database);
  await store.open();
  expect(await store.append(again(rows))).toEqual({ duplicates: [] });
  expect(await store.append(rows)).toEqual({ duplicates: [0, 1, 2] });
  expect(await readAll(store)).toHaveLength(4);
});

it('is not up by a trial write that a unique index swallows', async () => {
  const database = await server.createDatabase();
  await using store = storeOn(server.dsn(database));
  await store.open();
  await store.probe?.();
  await store.append(rowsOf(AUDIT_EVENT, 1, () => ({ actor: 'trial' })));
  await server.sql('CREATE UNIQUE INDEX one ON audit_events (actor(20))', database);
  await expect(store.probe?.()).rejects.toMatchObject(SWALLOWED);
  await server.sql('DROP INDEX one ON audit_events', database);
  await store.open();
  await store.probe?.();
  expect(await readAll(store)).toHaveLength(1);
});

it('acknowledges no record once another program has used the last id, and says how to go on', async () => {
  const database = await server.createDatabase();
  await using store = storeOn(server.dsn(database));
  await store.open();
  await server.sql(
    "INSERT INTO audit_events (id, ts) VALUES (9223372036854775807, '2026')",
    database,
  );
  const rows = rowsOf(AUDIT_EVENT, 2);
  // MariaDB's own error; MySQL calls each further row a duplicate of that one.
  const usedUp = {
    class: 'transient',
    reason: expect.stringMatching(/has no id left \(.*167\); .* give that row a lower/),
  };
  await expect(store.append(again(rows))).rejects.toMatchObject(usedUp);
  await store.open();
  await expect(store.probe?.()).rejects.toMatchObject(usedUp);
  await server.sql(
    "UPDATE audit_events SET id = 7 WHERE ts = '2026'; ALTER TABLE audit_events AUTO_INCREMENT = 8",
    database,
  );
  await store.open();
  await store.probe?.();
  expect(await store.append(rows)).toEqual({ duplicates: [] });
  expect(await readAll(store)).toHaveLength(3);
});

it('tells duplicates to several sidecars at once, and none is in the way of another', async () => {
  const dsn = server.dsn(await server.createDatabase());
  await using running = new AsyncDisposableStack();
  const stores = [1, 2, 3].map(() => running.use(storeOn(dsn)));
  await Promise.all(stores.map((store) => store.open()));
  const rows = rowsOf(AUDIT_EVENT, 20);
  await stores[0]?.append(again(rows));
  const all = Array.from({ length: 20 }, (_, i) => i);
  const resend = async (store: Store) => {
    for (let round = 0; round < 20; round++) {
      expect(await store.append(again(rows))).toEqual({ duplicates: all });
    }
  };
  await Promise.all(stores.map(resend));
});
