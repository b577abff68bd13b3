import { afterAll, beforeAll, expect, it } from 'vitest';
import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import { type MariadbServer, startMariadb } from '../support/mariadb-server.ts';
import { readAll, rowsOf, storeOn } from './harness.ts';

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
