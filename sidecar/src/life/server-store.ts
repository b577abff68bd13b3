import type { ServerStorage } from '../config/storage.ts';
import { type DsnSource, dsnSource } from '../stores/server/dsn-source.ts';
import type { Driver, Store } from '../stores/store.ts';
import { StoreError } from '../stores/store-error.ts';
import type { Log } from '../telemetry/log.ts';

/** Loads a driver's code and makes its store. */
export type MakeStore = (driver: 'postgres' | 'mysql', source: DsnSource) => Promise<Store>;

/**
 * The store on a server, made at the first `open` that can tell its driver: without STORAGE_DRIVER
 * only the DSN can, and its Secret may come late. The driver then stays for as long as the process
 * lives. What the DSN holds without effect is logged, and stands in /readyz.
 */
export function serverStore({ driver, places }: ServerStorage, make: MakeStore, log: Log): Store {
  const asked = driver === 'unknown' ? undefined : driver;
  const source = tellingSource(dsnSource({ ...places, driver: asked }), log);
  let store: Store | undefined;

  function made(): Store {
    if (store === undefined) throw new StoreError('storage was not opened yet');
    return store;
  }
  async function load(): Promise<Store> {
    const meant = asked ?? source.current().driver;
    try {
      return await make(meant, source);
    } catch (error) {
      if (error instanceof StoreError) throw error;
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
      throw new StoreError(`the code of the driver ${meant} cannot be loaded (${code})`);
    }
  }
  return {
    get driver(): Driver {
      return asked ?? store?.driver ?? 'unknown';
    },
    async open() {
      store ??= await load();
      await store.open();
    },
    append: async (rows) => made().append(rows),
    list: async (query, signal) => made().list(query, signal),
    probe: async () => made().probe?.(),
    complaint: () => store?.complaint?.(),
    warnings: () => [...source.warnings, ...(store?.warnings?.() ?? [])],
    gauges: () => store?.gauges?.() ?? [],
    close: async (signal) => store?.close(signal),
  };
}

/** Logs the warnings of a DSN once, and again when they change with it. */
function tellingSource(source: DsnSource, log: Log) {
  let warnings: readonly string[] = [];
  return {
    get warnings() {
      return warnings.map((warning) => `of the DSN, ${warning}`);
    },
    current() {
      const dsn = source.current();
      const fresh = dsn.warnings.filter((warning) => !warnings.includes(warning));
      for (const warning of fresh) log.warn(`of the DSN, ${warning}`);
      warnings = dsn.warnings;
      return dsn;
    },
  };
}
