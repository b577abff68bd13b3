import { randomUUID } from 'node:crypto';
import { AUDIT_EVENT, COST_SNAPSHOT, type Kind } from '../../../sidecar/src/records/kinds.ts';
import type { Item, ListQuery, Position } from '../../../sidecar/src/records/list.ts';
import { type Rows, RowWriter } from '../../../sidecar/src/records/rows.ts';
import type { Store } from '../../../sidecar/src/stores/store.ts';

export type Fields = Readonly<Record<string, string | number>>;

export const TS = '2026-11-23T09:41:46.610360000Z';

/** Records of one kind as rows; columns that are not given have a fitting value. */
export function rowsOf(kind: Kind, ...records: readonly Fields[]): Rows {
  const writer = new RowWriter();
  for (const record of records) {
    const defaults = { ts: TS, event_id: randomUUID() };
    const filled: Record<string, string | number> = {};
    for (const { name, type } of kind.columns) filled[name] = type === 'number' ? 0 : 'x';
    writer.add(kind, { ...filled, ...defaults, ...record });
  }
  return writer.take();
}

/** Audit events with these event ids. */
export function audits(...ids: readonly string[]): Rows {
  return rowsOf(AUDIT_EVENT, ...ids.map((event_id) => ({ event_id })));
}

export const costs = (...records: readonly Fields[]): Rows => rowsOf(COST_SNAPSHOT, ...records);

/** A list to its end, and how many pages that took. */
export async function listAll(store: Store, query: Partial<ListQuery> = {}) {
  const asked: ListQuery = {
    kind: AUDIT_EVENT,
    filters: new Map(),
    order: 'asc',
    limit: 1_000,
    ...query,
  };
  const items: Item[] = [];
  let after: Position | null = null;
  let pages = 0;
  do {
    const page: Awaited<ReturnType<Store['list']>> = await store.list(
      after === null ? asked : { ...asked, after },
    );
    items.push(...page.items);
    after = page.next;
    pages += 1;
  } while (after !== null);
  return { items, pages };
}

export async function eventIds(store: Store): Promise<string[]> {
  return (await listAll(store)).items.map(({ event_id }) => String(event_id));
}
