import { afterAll, beforeAll, expect, it } from 'vitest';
import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import type { Rows } from '../../../sidecar/src/records/rows.ts';
import { type MariadbServer, query, startMariadb } from '../support/mariadb-server.ts';
import { tcpProxy } from '../support/tcp-proxy.ts';
import { readAll, rowsOf, storeOn } from './harness.ts';

let server: MariadbServer;
beforeAll(async () => {
  server = await startMariadb();
});
afterAll(() => server[Symbol.asyncDispose]());

const again = ({ bytes, count }: Rows): Rows => ({ bytes: Buffer.from(bytes), count });

it('stores a batch once whose commit was answered into nothing', async () => {
  const database = await server.createDatabase();
  // Migrated beforehand: the proxy would take the migration's COMMIT for the batch's.
  await using owner = storeOn(server.dsn(database));
  await owner.open();
  await using proxy = await tcpProxy({ host: '127.0.0.1', port: server.port });
  await using store = storeOn(server.dsn(database, 'root', proxy.port));
  await store.open();
  const rows = rowsOf(AUDIT_EVENT, 40);
  const lost = proxy.cutAnswerTo('COMMIT');
  await expect(store.append(again(rows))).rejects.toMatchObject({ class: 'transient' });
  await lost;
  await store.open();
  expect((await store.append(rows)).duplicates).toHaveLength(40);
  expect(await readAll(store)).toHaveLength(40);
});

it('rejects garbage and refused connections, and works again after them', async () => {
  const database = await server.createDatabase();
  await using proxy = await tcpProxy({ host: '127.0.0.1', port: server.port });
  await using store = storeOn(server.dsn(database, 'root', proxy.port));
  await store.open();
  proxy.mode = 'garbage';
  await expect(store.append(rowsOf(AUDIT_EVENT, 1))).rejects.toMatchObject({ class: 'transient' });
  proxy.mode = 'pass';
  await proxy.refuse();
  await expect(store.open()).rejects.toThrow('ECONNREFUSED');
  await proxy.accept();
  await store.open();
  expect(await store.append(rowsOf(AUDIT_EVENT, 1))).toEqual({ duplicates: [] });
});

it('survives kill -9 of the server with all that it acknowledged', async () => {
  await using own = await startMariadb();
  const database = await own.createDatabase();
  await using store = storeOn(own.dsn(database));
  await store.open();
  await store.append(rowsOf(AUDIT_EVENT, 500));
  await own.kill();
  await expect(store.append(rowsOf(AUDIT_EVENT, 1))).rejects.toMatchObject({ class: 'transient' });
  await expect(store.open()).rejects.toThrow('ECONNREFUSED');
  await own.start();
  await store.open();
  expect(await readAll(store)).toHaveLength(500);
});

it('says that a server is read-only, and writes when it is not any more', async () => {
  const database = await server.createDatabase();
  await using owner = storeOn(server.dsn(database));
  await owner.open();
  await server.sql(
    `CREATE USER plain@'%' IDENTIFIED BY 'pw';
     GRANT SELECT, INSERT, UPDATE ON ${database}.* TO plain@'%'`,
  );
  await using store = storeOn(server.dsn(database, 'plain:pw'));
  await store.open();
  await server.sql('SET GLOBAL read_only = 1');
  try {
    await expect(store.append(rowsOf(AUDIT_EVENT, 1))).rejects.toThrow('1290');
  } finally {
    await server.sql('SET GLOBAL read_only = 0');
  }
  await store.open();
  expect(await store.append(rowsOf(AUDIT_EVENT, 1))).toEqual({ duplicates: [] });
});

it('gives up waiting for the lock of another transaction, and keeps its connection', async () => {
  const database = await server.createDatabase();
  await using store = storeOn(server.dsn(database));
  await store.open();
  const other = server.connect(database);
  try {
    await query(
      other,
      "START TRANSACTION; INSERT INTO audit_events (ts, event_id) VALUES ('x', 'taken')",
    );
    const rows = rowsOf(AUDIT_EVENT, 2, (i) => (i === 1 ? { event_id: 'taken' } : {}));
    await expect(store.append(again(rows))).rejects.toThrow('1205');
    await query(other, 'ROLLBACK');
    expect(await store.append(rows)).toEqual({ duplicates: [] });
    expect(await readAll(store)).toHaveLength(2);
  } finally {
    other.destroy();
  }
});

it('isolates by class data what the database refuses, without telling the value', async () => {
  const database = await server.createDatabase();
  await using store = storeOn(server.dsn(database));
  await store.open();
  await server.sql("ALTER TABLE audit_events ADD CHECK (actor <> 'secret-actor')", database);
  const rows = rowsOf(AUDIT_EVENT, 2, (i) => (i === 1 ? { actor: 'secret-actor' } : {}));
  const error = await store.append(rows).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ class: 'data' });
  expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('secret-actor');
  expect(await store.append(rowsOf(AUDIT_EVENT, 1))).toEqual({ duplicates: [] });
  expect(await readAll(store)).toHaveLength(1);
});

it('warns of a server that does not sync its commits', async () => {
  await using own = await startMariadb({ args: ['--innodb-flush-log-at-trx-commit=2'] });
  await using store = storeOn(own.dsn(await own.createDatabase()));
  await store.open();
  expect(store.warnings?.()).toEqual([
    expect.stringContaining('SET GLOBAL innodb_flush_log_at_trx_commit = 1'),
  ]);
});
