import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import type { Store } from '../../../sidecar/src/stores/store.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { storeAt } from '../support/postgres-store.ts';
import { audits, eventIds, rowsOf } from './records.ts';

/** A trigger of somebody else takes a row without complaint, and stores nothing. */
let server: PostgresServer;
let database: string;
let store: Store;

beforeAll(async () => {
  server = await PostgresServer.start();
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(async () => {
  database = await server.createDatabase();
  store = storeAt(server.dsn(database));
  await store.open();
});
afterEach(() => store.close(AbortSignal.timeout(1_000)));

const swallowed = (doing: string) => ({
  name: 'StoreError',
  class: 'transient',
  message: `cannot ${doing}: the table audit_events swallows rows`,
  hint: expect.stringContaining('trigger'),
});

async function swallow(condition: string): Promise<void> {
  await server.query(
    `CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE TRIGGER swallow BEFORE INSERT ON audit_events FOR EACH ROW WHEN (${condition})
      EXECUTE FUNCTION swallow()`,
    database,
  );
}

const unswallow = () => server.query('DROP TRIGGER swallow ON audit_events', database);

it('rows that are swallowed are not acknowledged as stored already', async () => {
  await store.append(audits('a'));
  await swallow("NEW.actor = 'eve'");
  const eve = rowsOf(AUDIT_EVENT, { event_id: 'b', actor: 'eve' }, { event_id: 'c' });
  await expect(store.append(eve)).rejects.toMatchObject(swallowed('append'));
  await unswallow();
  await store.open();
  const again = rowsOf(AUDIT_EVENT, { event_id: 'b', actor: 'eve' }, { event_id: 'c' });
  // The others of the batch were stored, and are told from those that were not.
  expect(await store.append(again)).toEqual({ duplicates: [1] });
  expect(await eventIds(store)).toEqual(['a', 'c', 'b']);
});

it('rows that are stored already are not acknowledged while a trial row is swallowed', async () => {
  await store.append(audits('a'));
  await swallow("NEW.actor = ''");
  await expect(store.append(audits('a'))).rejects.toMatchObject(swallowed('append'));
  await unswallow();
  await store.open();
  expect(await store.append(audits('a'))).toEqual({ duplicates: [0] });
});

it('a trial write fails where rows are swallowed', async () => {
  await store.probe?.();
  await swallow('true');
  await expect(store.probe?.()).rejects.toMatchObject(swallowed('write'));
  await unswallow();
  await store.open();
  await store.probe?.();
});

it('a rule that swallows rows is refused by the server itself', async () => {
  await store.append(audits('a'));
  await server.query(
    "CREATE RULE swallow AS ON INSERT TO audit_events WHERE NEW.actor = 'eve' DO INSTEAD NOTHING",
    database,
  );
  for (const id of ['a', 'b']) {
    await expect(store.append(audits(id))).rejects.toMatchObject({
      class: 'transient',
      message: expect.stringContaining('SQLSTATE 0A000'),
    });
    await store.open();
  }
});

it('a check of duplicates that somebody refuses blames no record, and leaves nothing open', async () => {
  await store.append(audits('a'));
  await server.query("ALTER TABLE audit_events ADD CHECK (actor <> '') NOT VALID", database);
  await expect(store.append(audits('a'))).rejects.toMatchObject({
    class: 'transient',
    message: expect.stringContaining('SQLSTATE 23514'),
  });
  await server.query('ALTER TABLE audit_events DROP CONSTRAINT audit_events_actor_check', database);
  await store.open();
  expect(await store.append(audits('a'))).toEqual({ duplicates: [0] });
  expect(await eventIds(store)).toEqual(['a']);
});

it('ids with quotes, backslashes and braces are found again', async () => {
  const ids = [`'"\\{},`, '\\', "''", '{}', 'NULL', 'null', '"', '%$1', 'x'.repeat(128)];
  expect(await store.append(audits(...ids))).toEqual({ duplicates: [] });
  expect(await store.append(audits(...ids, 'new', 'new'))).toEqual({
    duplicates: [...ids.keys(), ids.length + 1],
  });
});
