import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import { type MariadbServer, startMariadb } from '../support/mariadb-server.ts';
import { readAll, rowsOf, storeOn } from './harness.ts';

/** What holds until a table that was converted under a running sidecar is looked at again. */
let server: MariadbServer;
let database: string;
beforeAll(async () => {
  server = await startMariadb();
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(async () => {
  database = await server.createDatabase();
});

const convert = () =>
  server.sql('ALTER TABLE audit_events CONVERT TO CHARACTER SET latin1', database);

it('stores a text that goes into latin1 as it is, and mangles none', async () => {
  await using store = storeOn(server.dsn(database));
  await store.open();
  await convert();
  const rows = (details: string) => rowsOf(AUDIT_EVENT, 1, () => ({ details }));
  await expect(store.append(rows('日本'))).rejects.toMatchObject({
    class: 'data',
    message: expect.stringMatching(/a text does not fit its column \(.*1366\)/),
  });
  expect(await store.append(rows('café'))).toEqual({ duplicates: [] });
  expect(await readAll(store)).toMatchObject([{ details: 'café' }]);
});

it('does not take an event id for stored that differs by a capital', async () => {
  await using store = storeOn(server.dsn(database));
  await store.open();
  await convert();
  const rows = (event_id: string) => rowsOf(AUDIT_EVENT, 1, () => ({ event_id }));
  expect(await store.append(rows('an-id'))).toEqual({ duplicates: [] });
  expect(await store.append(rows('an-id'))).toEqual({ duplicates: [0] });
  await expect(store.append(rows('An-Id'))).rejects.toMatchObject({
    class: 'transient',
    message: 'audit_events swallows a row whose event_id is new',
  });
});
