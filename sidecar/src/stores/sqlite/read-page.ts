import {
  type Item,
  type ListQuery,
  PAGE_BYTES,
  type Page,
  type Position,
} from '../../records/list.ts';
import type { Slice } from './worker/protocol.ts';

/**
 * How long one slice may occupy the worker: an append waits for one slice at most, and a slice
 * much shorter would be mostly overhead.
 */
export const SLICE_MS = 8;

/**
 * How much of the processor's time one page may take in the worker; a page that is not full then is
 * answered.
 */
const PAGE_PROCESSOR_MS = 250;

/**
 * And how much time in all. It is longer: on a busy node a thread waits for the processor, and a page would
 * end after its first item.
 */
const PAGE_MS = 2_000;

/**
 * Puts a page together from slices, between which others get their turn.
 *
 * @param slice answers the next part of a list within {@link SLICE_MS}, of about so many bytes
 */
export async function readPage(
  query: ListQuery,
  slice: (query: ListQuery, maxBytes: number) => Promise<Slice>,
): Promise<Page> {
  const items: Item[] = [];
  let next: Position | null = null;
  let spentMs = 0;
  let processorMs = 0;
  let bytes = 0;
  do {
    const rest: ListQuery = { ...query, limit: query.limit - items.length };
    const part = next === null ? rest : { ...rest, after: next };
    const answer = await slice(part, PAGE_BYTES - bytes);
    for (const item of answer.page.items) items.push(item);
    next = answer.page.next;
    spentMs += answer.tookMs;
    processorMs += answer.processorMs;
    bytes += answer.bytes;
  } while (
    next !== null &&
    items.length < query.limit &&
    processorMs < PAGE_PROCESSOR_MS &&
    spentMs < PAGE_MS &&
    bytes < PAGE_BYTES
  );
  return { items, next };
}
