import type { Store } from './store.ts';

/**
 * The store that keeps nothing, for an installation that has not opted in. It is chosen, never
 * fallen into. It is also the shortest example of the contract in store.ts.
 */
export function noopStore(): Store {
  return {
    driver: 'none',
    discards: true,
    async open() {},
    async append() {
      return { duplicates: [] };
    },
    async list() {
      return { items: [], next: null };
    },
    async close() {},
  };
}
