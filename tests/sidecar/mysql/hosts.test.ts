import { afterAll, beforeAll, expect, it } from 'vitest';
import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import { freePort } from '../support/free-port.ts';
import { type MariadbServer, startMariadb } from '../support/mariadb-server.ts';
import { readAll, rowsOf, storeOn } from './harness.ts';

/** Of galera-4, which Debian's mariadb-server depends on. */
const GALERA = '/usr/lib/galera/libgalera_smm.so';

let first: MariadbServer;
let second: MariadbServer;
beforeAll(async () => {
  [first, second] = await Promise.all([startMariadb(), startMariadb()]);
});
afterAll(async () => {
  await first?.[Symbol.asyncDispose]();
  await second?.[Symbol.asyncDispose]();
});

const setReadOnly = (server: MariadbServer, value: 0 | 1) =>
  server.sql(`SET GLOBAL read_only = ${value}`);

it.for([
  ['that are named', '', 'named'],
  ['by rejectReadOnly', '?rejectReadOnly=true', 'asked'],
] as const)(
  'of several hosts %s it follows the one that may be written',
  async ([, query, name]) => {
    // An ordinary user: root may write to a server that is read-only.
    for (const server of [first, second]) {
      await setReadOnly(server, 0);
      await server.sql(`CREATE DATABASE ${name}; CREATE USER ${name} IDENTIFIED BY 'pw';
      GRANT SELECT, INSERT, UPDATE, CREATE, ALTER, INDEX ON ${name}.* TO ${name}`);
    }
    await setReadOnly(first, 1);
    const hosts = `127.0.0.1:${first.port},127.0.0.1:${second.port}`;
    await using store = storeOn(`mysql://${name}:pw@${hosts}/${name}${query}`);
    await store.open();
    await store.append(rowsOf(AUDIT_EVENT, 2));
    expect(await second.sql('SELECT id FROM audit_events', name)).toHaveLength(2);

    await setReadOnly(second, 1);
    await expect(store.append(rowsOf(AUDIT_EVENT, 1))).rejects.toThrow('1290');
    await expect(store.open()).rejects.toThrow(
      /host 1 of 2: .*read-only; host 2 of 2: .*read-only/,
    );
    await setReadOnly(first, 0);
    await store.open();
    await store.append(rowsOf(AUDIT_EVENT, 3));
    expect(await first.sql('SELECT id FROM audit_events', name)).toHaveLength(3);
    expect(await readAll(store)).toHaveLength(3);
  },
);

it('goes on with the next host after one that lets it in and cannot be used', async () => {
  for (const server of [first, second]) {
    await setReadOnly(server, 0);
    await server.sql('CREATE DATABASE passed');
  }
  await first.sql('CREATE TABLE audit_events (id INT)', 'passed');
  const hosts = `127.0.0.1:${first.port},127.0.0.1:${second.port}`;
  await using store = storeOn(`mysql://root@${hosts}/passed`);
  for (let connection = 1; connection <= 2; connection++) {
    // The first host is preferred, whenever the writer needs a new connection.
    await expect(store.open()).rejects.toThrow(/^host 1 of 2: the table audit_events .* used/);
    await store.open();
    await store.append(rowsOf(AUDIT_EVENT, 2));
    expect(await readAll(store)).toHaveLength(2 * connection);
    await second.sql('KILL USER root').catch(() => {});
    await expect.poll(() => store.append(rowsOf(AUDIT_EVENT, 1)).catch(() => 'cut')).toBe('cut');
  }
});

it('passes over a node of Galera that is not ready, and one that answers 1047', async () => {
  const listener = `gmcast.listen_addr=tcp://127.0.0.1:${await freePort()}`;
  await using node = await startMariadb({
    args: [
      ...['--wsrep-on=ON', `--wsrep-provider=${GALERA}`, '--wsrep-cluster-address=gcomm://'],
      ...['--binlog-format=ROW', '--innodb-autoinc-lock-mode=2', '--wsrep-node-address=127.0.0.1'],
      `--wsrep-provider-options=${listener};pc.announce_timeout=PT0.5S;pc.wait_prim_timeout=PT1S`,
    ],
  });
  const ready = () => node.sql("SHOW STATUS LIKE 'wsrep_ready'");
  await expect.poll(ready, { timeout: 15_000 }).toMatchObject([{ Value: 'ON' }]);
  for (const server of [node, second]) await server.sql('CREATE DATABASE galera');
  const hosts = `127.0.0.1:${node.port},127.0.0.1:${second.port}`;
  await using store = storeOn(`mysql://root@${hosts}/galera`);
  await store.open();
  await store.append(rowsOf(AUDIT_EVENT, 1));
  expect(await node.sql('SELECT id FROM audit_events', 'galera')).toHaveLength(1);

  await node.sql('SET GLOBAL wsrep_reject_queries = ALL');
  await expect(store.append(rowsOf(AUDIT_EVENT, 1))).rejects.toThrow('1047');
  await expect(store.open()).rejects.toThrow(/^host 1 of 2: .*1047/);
  await store.open();
  await store.append(rowsOf(AUDIT_EVENT, 2));
  expect(await readAll(store)).toHaveLength(2);

  await node.sql('SET GLOBAL wsrep_reject_queries = NONE');
  // It looks for a cluster in vain.
  await node.sql("SET GLOBAL wsrep_cluster_address = 'gcomm://127.0.0.1:1'");
  await using other = storeOn(`mysql://root@${hosts}/galera`);
  await other.open();
  await other.append(rowsOf(AUDIT_EVENT, 3));
  expect(await readAll(other)).toHaveLength(5);
  await using alone = storeOn(node.dsn('galera'));
  await expect(alone.open()).rejects.toMatchObject({
    class: 'transient',
    reason: expect.stringMatching(/not ready .*wsrep_ready is OFF.*; check the state/),
  });
});

it('writes nothing to the only host while that is read-only, whatever its user may do', async () => {
  await setReadOnly(first, 0);
  await first.sql('CREATE DATABASE alone');
  await using store = storeOn(first.dsn('alone'));
  await setReadOnly(first, 1);
  try {
    await expect(store.open()).rejects.toMatchObject({
      class: 'transient',
      reason: 'the server is read-only; point the DSN at the primary, or name all hosts in it',
    });
    expect(await first.sql('SHOW TABLES', 'alone')).toEqual([]);
  } finally {
    await setReadOnly(first, 0);
  }
  await store.open();
  expect(await store.append(rowsOf(AUDIT_EVENT, 1))).toEqual({ duplicates: [] });
});

it('reads from the only host while that is read-only', async () => {
  await first.sql('CREATE DATABASE lists');
  await using store = storeOn(first.dsn('lists'));
  await store.open();
  await store.append(rowsOf(AUDIT_EVENT, 1));
  await setReadOnly(first, 1);
  try {
    await first.sql('KILL USER root').catch(() => {});
    await expect.poll(() => store.append(rowsOf(AUDIT_EVENT, 1)).catch(() => 'cut')).toBe('cut');
    await expect(store.open()).rejects.toThrow('read-only');
    expect(await readAll(store)).toHaveLength(1);
  } finally {
    await setReadOnly(first, 0);
  }
});
