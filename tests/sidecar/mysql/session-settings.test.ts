import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import type { Rows } from '../../../sidecar/src/records/rows.ts';
import { type MariadbServer, startMariadb } from '../support/mariadb-server.ts';
import { readAll, rowsOf, storeOn } from './harness.ts';

/** What a server is set to for all sessions must not become ours. */
let server: MariadbServer;
let database: string;
beforeAll(async () => {
  server = await startMariadb();
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(async () => {
  database = await server.createDatabase();
});
afterEach(() =>
  server.sql(
    `SET GLOBAL completion_type = DEFAULT; SET GLOBAL sql_select_limit = DEFAULT;
     SET GLOBAL tx_read_only = DEFAULT`,
  ),
);

const again = ({ bytes, count }: Rows): Rows => ({ bytes: Buffer.from(bytes), count });
const connectionsMade = (store: ReturnType<typeof storeOn>) =>
  store.gauges?.().find(({ name }) => name === 'connections_made_total')?.value;

it.each([1, 2])(
  'goes on by its connection after a rollback with completion_type %i',
  async (type) => {
    await server.sql(`SET GLOBAL completion_type = ${type}`);
    await using store = storeOn(server.dsn(database));
    await store.open();
    const made = connectionsMade(store);
    const rows = rowsOf(AUDIT_EVENT, 3);
    expect(await store.append(again(rows))).toEqual({ duplicates: [] });
    // A duplicate takes back what was inserted beside it, and a trial write all of it.
    expect(await store.append(again(rows))).toEqual({ duplicates: [0, 1, 2] });
    await store.probe?.();
    expect(await store.append(rowsOf(AUDIT_EVENT, 1))).toEqual({ duplicates: [] });
    expect(connectionsMade(store)).toBe(made);
    expect(await readAll(store)).toHaveLength(4);
  },
);

it.each([0, 5, 60])('lists all, and sees all, with sql_select_limit %i', async (limit) => {
  await server.sql(`SET GLOBAL sql_select_limit = ${limit}`);
  await using store = storeOn(server.dsn(database));
  await store.open();
  const rows = rowsOf(AUDIT_EVENT, 200);
  expect(await store.append(again(rows))).toEqual({ duplicates: [] });
  expect((await store.append(rows)).duplicates).toHaveLength(200);
  const items = await readAll(store, { limit: 100 });
  expect(new Set(items.map(({ event_id }) => event_id)).size).toBe(200);
  // One that finds the tables.
  await using other = storeOn(server.dsn(database));
  await other.open();
  expect(other.warnings?.()).toEqual(store.warnings?.());
});

it('migrates and writes where transactions are read-only by default', async () => {
  await server.sql('SET GLOBAL tx_read_only = 1');
  await using store = storeOn(server.dsn(database));
  await store.open();
  await store.probe?.();
  expect(await store.append(rowsOf(AUDIT_EVENT, 2))).toEqual({ duplicates: [] });
  expect(await readAll(store)).toHaveLength(2);
  // The server itself is another matter.
  await server.sql('SET GLOBAL read_only = 1');
  try {
    await using late = storeOn(server.dsn(database));
    await expect(late.open()).rejects.toThrow('the server is read-only');
  } finally {
    await server.sql('SET GLOBAL read_only = 0');
  }
});
