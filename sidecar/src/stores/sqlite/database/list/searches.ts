import type { ListQuery } from '../../../../records/list.ts';
import type { Search } from './search.ts';

/** More than pages are read at a time; a list whose search is gone begins anew where it stands. */
const CAPACITY = 16;

/** Searches of lists between two of their slices, by what the next slice will ask for. */
export class Searches {
  readonly #kept = new Map<string, Search>();

  /** The search that stands where the query goes on. The caller has it then, and nobody else. */
  take(query: ListQuery): Search | undefined {
    if (this.#kept.size === 0) return undefined;
    const key = keyOf(query);
    const search = this.#kept.get(key);
    this.#kept.delete(key);
    return search;
  }

  keep(query: ListQuery, search: Search): void {
    this.#kept.set(keyOf(query), search);
    // A Map keeps the order of insertion: the first one was kept the longest ago.
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > CAPACITY && oldest !== undefined) this.#kept.delete(oldest);
  }
}

/** All but the limit, which is less from slice to slice. */
function keyOf({ kind, filters, since, until, order, after }: ListQuery): string {
  return JSON.stringify([kind.index, [...filters], since, until, order, after]);
}
