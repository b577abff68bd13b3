import type { Item, ListQuery, Page, Position } from '../../records/list.ts';
import type { Slice } from './protocol.ts';

/**
 * How long one slice may occupy the worker: an append waits for one slice at most, and a slice
 * much shorter would be mostly overhead.
 */
export const SLICE_MS = 8;

/** How much of the worker's time one page may take; a page that is not full then is answered. */
const PAGE_MS = 250;

/**
 * Puts a page together from slices, between which others get their turn.
 *
 * @param slice answers the next part of a list within {@link SLICE_MS}
 */
export async function readPage(
  query: ListQuery,
  slice: (query: ListQuery) => Promise<Slice>,
): Promise<Page> {
  const items: Item[] = [];
  let next: Position | null = null;
  let spentMs = 0;
  do {
    const rest: ListQuery = { ...query, limit: query.limit - items.length };
    const { page, tookMs } = await slice(next === null ? rest : { ...rest, after: next });
    for (const item of page.items) items.push(item);
    next = page.next;
    spentMs += tookMs;
  } while (next !== null && items.length < query.limit && spentMs < PAGE_MS);
  return { items, next };
}
