import { KINDS } from '../../../../sidecar/src/records/kinds.ts';
import type { Item, ListQuery, Page } from '../../../../sidecar/src/records/list.ts';
import type { Rows } from '../../../../sidecar/src/records/rows.ts';
import type { Appended, Store } from '../../../../sidecar/src/stores/store.ts';
import { StoreError } from '../../../../sidecar/src/stores/store-error.ts';
import { decodeRows } from '../../support/decode-rows.ts';

/** Keeps rows in memory, by the contract; can be told to fail, to hang and to refuse a value. */
export class MemoryStore implements Store {
  readonly driver = 'sqlite';
  readonly tables = new Map<string, Item[]>(KINDS.map((kind) => [kind.table, []]));
  /** The queries it was asked. */
  readonly queries: ListQuery[] = [];
  down = false;
  /** Texts that it refuses as a database might. */
  refuses: string | undefined;
  /** Called before each append, which goes on when it resolves. */
  gate: () => Promise<void> = async () => {};
  #lastId = 0;

  async open(): Promise<void> {
    if (this.down) throw new StoreError('it is down', { hint: 'wait' });
  }

  async append(rows: Rows): Promise<Appended> {
    await this.gate();
    await this.open();
    const decoded = [...decodeRows(rows)];
    for (const { values } of decoded) {
      if (this.refuses !== undefined && values.includes(this.refuses)) {
        throw new StoreError('a value is refused', { class: 'data' });
      }
    }
    const duplicates: number[] = [];
    for (const [index, { kind, values }] of decoded.entries()) {
      const table = this.tables.get(kind.table) ?? [];
      const names = kind.columns.map((column) => column.name);
      const item = Object.fromEntries(names.map((name, at) => [name, values[at] ?? null]));
      if (table.some((other) => other.event_id === item.event_id)) {
        duplicates.push(index);
      } else {
        this.#lastId += 1;
        table.push({ ...item, id: String(this.#lastId) });
      }
    }
    return { duplicates };
  }

  async list(query: ListQuery, _signal?: AbortSignal): Promise<Page> {
    this.queries.push(query);
    await this.open();
    const { kind, filters, order, since, until, after, limit } = query;
    const sign = order === 'asc' ? 1 : -1;
    const matches = (this.tables.get(kind.table) ?? [])
      .filter((item) => [...filters].every(([name, values]) => values.includes(String(item[name]))))
      .filter((item) => since === undefined || String(item.ts) >= since)
      .filter((item) => until === undefined || String(item.ts) < until)
      .sort((a, b) => sign * compare(a, b))
      .filter((item) => after === undefined || sign * compare(item, after) > 0);
    const items = matches.slice(0, limit);
    const last = items.at(-1);
    const more = matches.length > limit && last !== undefined;
    return { items, next: more ? { ts: String(last.ts), id: String(last.id) } : null };
  }

  async close(): Promise<void> {}
}

type Place = Readonly<{ ts?: unknown; id?: unknown }>;

function compare(a: Place, b: Place): number {
  if (a.ts !== b.ts) return String(a.ts) < String(b.ts) ? -1 : 1;
  return Number(a.id) - Number(b.id);
}
