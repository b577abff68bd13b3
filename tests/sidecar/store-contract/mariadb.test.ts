import { pino } from 'pino';
import { afterAll, beforeAll } from 'vitest';
import { mysqlStore } from '../../../sidecar/src/stores/mysql/mysql-store.ts';
import { dsnSource } from '../../../sidecar/src/stores/server/dsn-source.ts';
import { type MariadbServer, startMariadb } from '../support/mariadb-server.ts';
import { storeContract } from './contract.ts';

let server: MariadbServer;
beforeAll(async () => {
  server = await startMariadb();
});
afterAll(() => server[Symbol.asyncDispose]());

storeContract(
  'mysql',
  async () => {
    const database = await server.createDatabase();
    const source = dsnSource({ dsn: server.dsn(database), driver: 'mysql' });
    return {
      store: () => mysqlStore({ source, version: '0.0.0-test', log: pino({ level: 'silent' }) }),
      remove: async () => void (await server.sql(`DROP DATABASE ${database}`)),
    };
  },
  { notSupported: ['complaint'] },
);
