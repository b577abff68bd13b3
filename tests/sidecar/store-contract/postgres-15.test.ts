import { afterAll, beforeAll } from 'vitest';
import { PostgresServer } from '../support/postgres-server.ts';
import { storeAt } from '../support/postgres-store.ts';
import { storeContract } from './contract.ts';

let server: PostgresServer;
beforeAll(async () => {
  server = await PostgresServer.start({ version: 15 });
});
afterAll(() => server[Symbol.asyncDispose]());

storeContract(
  'postgres',
  async () => {
    const database = await server.createDatabase();
    return {
      store: () => storeAt(server.dsn(database)),
      remove: async () => {
        await server.query(`DROP DATABASE ${database} WITH (FORCE)`);
      },
    };
  },
  { notSupported: ['complaint'] },
);
