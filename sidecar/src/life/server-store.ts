import type { ServerDsn } from '../config/server-dsn.ts';
import type { ServerStorage } from '../config/storage.ts';
import { type DsnSource, dsnSource } from '../stores/server/dsn-source.ts';
import type { Driver, Store } from '../stores/store.ts';
import { StoreError } from '../stores/store-error.ts';
import type { Log } from '../telemetry/log.ts';

type ServerDriver = ServerDsn['driver'];

/** Loads a driver's code and makes its store. */
export type MakeStore = (driver: ServerDriver, source: DsnSource) => Promise<Store>;

/** What a driver that gives way may take to end its connections. */
const CLOSE_MS = 1_000;

/**
 * The store on a server, made at the first `open` that can tell its driver: without STORAGE_DRIVER
 * only the DSN can, and its Secret may come late. It may also be rotated to the other driver: then
 * the `open` after the failure that follows makes a store of that one. What is queued is not lost by
 * it, since a batch that failed is written whole to whatever is open then. What the DSN holds without
 * effect is logged, and stands in /readyz.
 */
export function serverStore(
  { driver, asked, places }: ServerStorage,
  make: MakeStore,
  log: Log,
): Store {
  const source = tellingSource(dsnSource({ ...places, driver: asked }), log);
  let store: Store | undefined;

  function made(): Store {
    if (store === undefined) throw new StoreError('storage was not opened yet');
    return store;
  }
  async function meant(): Promise<ServerDriver> {
    if (asked !== undefined) return asked;
    try {
      return (await source.current()).driver;
    } catch (error) {
      // It is the store that there is which needs the DSN, or does not.
      if (store === undefined) throw error;
      return store.driver as ServerDriver;
    }
  }
  async function load(chosen: ServerDriver): Promise<Store> {
    try {
      return await make(chosen, sourceFor(chosen, source));
    } catch (error) {
      if (error instanceof StoreError) throw error;
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
      throw new StoreError(`the code of the driver ${chosen} cannot be loaded (${code})`);
    }
  }
  async function choose(): Promise<Store> {
    const chosen = await meant();
    if (store?.driver === chosen) return store;
    const next = await load(chosen);
    const before = store;
    store = next;
    await before?.close(AbortSignal.timeout(CLOSE_MS));
    return next;
  }
  return {
    get driver(): Driver {
      return store?.driver ?? driver;
    },
    open: async () => (await choose()).open(),
    append: async (rows) => made().append(rows),
    list: async (query, signal) => made().list(query, signal),
    probe: async () => made().probe?.(),
    complaint: () => store?.complaint?.(),
    isLost: () => store?.isLost?.() ?? false,
    warnings: () => [...source.warnings, ...(store?.warnings?.() ?? [])],
    gauges: () => store?.gauges?.() ?? [],
    close: async (signal) => store?.close(signal),
  };
}

/** Keeps a store from dialling a server of the other driver. */
function sourceFor(driver: ServerDriver, source: DsnSource): DsnSource {
  return {
    async current() {
      const dsn = await source.current();
      if (dsn.driver === driver) return dsn;
      throw new StoreError(`the DSN is for ${dsn.driver} now, and ${driver} is in use`, {
        hint: 'it is followed once the connection in use fails; to make it so at once, restart the container',
      });
    },
  };
}

/** Logs the warnings of a DSN once, and again when they change with it. */
function tellingSource(source: DsnSource, log: Log) {
  let warnings: readonly string[] = [];
  return {
    get warnings() {
      return warnings.map((warning) => `of the DSN, ${warning}`);
    },
    async current() {
      const dsn = await source.current();
      const fresh = dsn.warnings.filter((warning) => !warnings.includes(warning));
      for (const warning of fresh) log.warn(`of the DSN, ${warning}`);
      warnings = dsn.warnings;
      return dsn;
    },
  };
}
