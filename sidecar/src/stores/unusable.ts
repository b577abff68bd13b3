import type { Driver, Store } from './store.ts';
import { StoreError } from './store-error.ts';

/**
 * The store that stands in where storage was asked for and cannot be configured: down, with the
 * reason, for as long as the process lives. The queue fills and then refuses; nothing falls back
 * to the no-op in silence.
 */
export function unusableStore(driver: Driver, reason: string): Store {
  const refuse = async () => {
    throw new StoreError(reason);
  };
  return { driver, open: refuse, append: refuse, list: refuse, backup: refuse, async close() {} };
}
