import { pino } from 'pino';
import {
  type PostgresStoreOptions,
  postgresStore,
} from '../../../sidecar/src/stores/postgres/postgres-store.ts';
import { dsnSource } from '../../../sidecar/src/stores/server/dsn-source.ts';
import type { Store } from '../../../sidecar/src/stores/store.ts';

/** A store on the database that a DSN names; logs nothing. */
export function storeAt(dsn: string, options: Partial<PostgresStoreOptions> = {}): Store {
  return postgresStore({
    source: dsnSource({ dsn, driver: 'postgres' }),
    version: '0.0.0-test',
    log: pino({ level: 'silent' }),
    ...options,
  });
}
