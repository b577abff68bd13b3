import type { Config } from '../config/config.ts';
import { noopStore } from '../stores/noop.ts';
import type { DsnSource } from '../stores/server/dsn-source.ts';
import type { Store } from '../stores/store.ts';
import { unusableStore } from '../stores/unusable.ts';
import type { Log } from '../telemetry/log.ts';
import { serverStore } from './server-store.ts';
import { VERSION } from './version.ts';

/**
 * Creates the store that the configuration asks for, and loads its code only then. Never throws:
 * a store that cannot be is one that is down.
 */
export async function chooseStore({ storage, sqliteCacheBytes }: Config, log: Log): Promise<Store> {
  if ('unusable' in storage) return unusableStore(storage.driver, storage.unusable);
  if ('places' in storage) {
    return serverStore(storage, (driver, source) => loadServer(driver, source, log), log);
  }
  if (storage.driver === 'none') return noopStore();
  try {
    const { sqliteStore } = await import('../stores/sqlite/sqlite-store.ts');
    const { path } = storage;
    return sqliteStore({ path, cacheBytes: sqliteCacheBytes, version: VERSION, log });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    return unusableStore(storage.driver, `the driver's code cannot be loaded (${code})`);
  }
}

async function loadServer(
  driver: 'postgres' | 'mysql',
  source: DsnSource,
  log: Log,
): Promise<Store> {
  if (driver === 'postgres') {
    const { postgresStore } = await import('../stores/postgres/postgres-store.ts');
    return postgresStore({ source, version: VERSION, log });
  }
  const { mysqlStore } = await import('../stores/mysql/mysql-store.ts');
  return mysqlStore({ source, version: VERSION, log });
}
