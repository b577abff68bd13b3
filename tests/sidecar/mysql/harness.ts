import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { AUDIT_EVENT, type Kind } from '../../../sidecar/src/records/kinds.ts';
import type { Item, ListQuery, Position } from '../../../sidecar/src/records/list.ts';
import { type Rows, RowWriter } from '../../../sidecar/src/records/rows.ts';
import {
  type MysqlStoreOptions,
  mysqlStore,
} from '../../../sidecar/src/stores/mysql/mysql-store.ts';
import { type DsnSourceOptions, dsnSource } from '../../../sidecar/src/stores/server/dsn-source.ts';
import type { Store } from '../../../sidecar/src/stores/store.ts';

export const TS = '2026-11-23T09:41:46.610360000Z';

/** A store that is closed when the scope is left. */
export function storeOn(
  dsn: string,
  options: Partial<MysqlStoreOptions> = {},
): Store & AsyncDisposable {
  return storeFrom({ dsn, driver: 'mysql' }, options);
}

export function storeFrom(
  options: DsnSourceOptions,
  others: Partial<MysqlStoreOptions> = {},
): Store & AsyncDisposable {
  const log = pino({ level: 'silent' });
  const source = dsnSource(options);
  const store = mysqlStore({ source, version: '0.0.0-test', log, ...others });
  return Object.assign(store, {
    [Symbol.asyncDispose]: () => store.close(AbortSignal.timeout(2_000)),
  });
}

/** Records of a kind, with what is said otherwise. */
export function rowsOf(
  kind: Kind,
  count: number,
  differs: (index: number) => Readonly<Record<string, string | number>> = () => ({}),
): Rows {
  const writer = new RowWriter();
  for (let i = 0; i < count; i++) {
    const record: Record<string, string | number> = {};
    for (const column of kind.columns) {
      if (column.type === 'time') record[column.name] = TS;
      else if (column.type === 'event_id') record[column.name] = randomUUID();
      else record[column.name] = column.type === 'number' ? 0.25 : column.example;
    }
    writer.add(kind, { ...record, ...differs(i) });
  }
  return writer.take();
}

/** Follows a list of audit events, oldest first, to its end. */
export async function readAll(store: Store, query: Partial<ListQuery> = {}): Promise<Item[]> {
  const items: Item[] = [];
  let after: Position | null = null;
  do {
    const page: Awaited<ReturnType<Store['list']>> = await store.list({
      kind: AUDIT_EVENT,
      order: 'asc',
      limit: 1_000,
      filters: new Map(),
      ...query,
      ...(after === null ? {} : { after }),
    });
    items.push(...page.items);
    after = page.next;
  } while (after !== null);
  return items;
}
