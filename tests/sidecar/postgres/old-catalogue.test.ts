import { expect, it } from 'vitest';
import { PostgresServer, type PostgresVersion } from '../support/postgres-server.ts';
import { storeAt } from '../support/postgres-store.ts';
import { audits, eventIds } from './records.ts';

/** Columns that catalogues have in Postgres 12 and in all since, as far as anyone would ask. */
const IN_12: Readonly<Record<string, string>> = {
  pg_class: 'oid, relname, relnamespace, relkind, relpersistence, relispartition, reloptions',
  pg_attribute:
    'attrelid, attname, atttypid, atttypmod, attnum, attnotnull, atthasdef, attidentity, attgenerated, attisdropped, attcollation',
  pg_index:
    'indexrelid, indrelid, indkey, indnkeyatts, indisunique, indisprimary, indimmediate, indisvalid, indpred, indexprs',
  pg_namespace: 'oid, nspname, nspowner, nspacl',
  pg_collation: 'oid, collname, collnamespace, collprovider, collisdeterministic, collcollate',
  pg_database: 'oid, datname, datdba, encoding, datcollate, datctype, datacl, datfrozenxid',
  pg_inherits: 'inhrelid, inhparent, inhseqno',
};

it.each<PostgresVersion>([15, 18])('asks %i for no more than Postgres 12 has', async (version) => {
  await using server = await PostgresServer.start({ version });
  const database = await server.createDatabase();
  // Views of those names that go before the server's own.
  await server.query('CREATE SCHEMA twelve', database);
  for (const [name, columns] of Object.entries(IN_12)) {
    const view = `CREATE VIEW twelve.${name} AS SELECT ${columns} FROM pg_catalog.${name}`;
    await server.query(view, database);
  }
  await server.query(
    `ALTER DATABASE ${database} SET search_path = public, twelve, pg_catalog`,
    database,
  );
  for (const id of ['a', 'b']) {
    // The first makes the tables, the second finds them.
    const store = storeAt(server.dsn(database));
    await store.open();
    await store.append(audits(id));
    expect(await eventIds(store)).toContain(id);
    await store.probe?.();
    await server.query("SELECT setval('audit_events_id_seq', 1, false)", database);
    await expect(store.append(audits('c'))).rejects.toThrow('the next id is taken');
    await store.close(AbortSignal.timeout(1_000));
  }
});
