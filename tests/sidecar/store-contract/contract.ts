import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  AUDIT_EVENT,
  COST_SNAPSHOT,
  KINDS,
  type Kind,
  SANDBOX_EVENT,
} from '../../../sidecar/src/records/kinds.ts';
import type { Item, ListQuery, Position } from '../../../sidecar/src/records/list.ts';
import { type Rows, RowWriter } from '../../../sidecar/src/records/rows.ts';
import { MAX_TIME, MIN_TIME } from '../../../sidecar/src/records/time.ts';
import type { Driver, Store } from '../../../sidecar/src/stores/store.ts';
import { StoreError } from '../../../sidecar/src/stores/store-error.ts';

/** A place where a driver keeps records, fresh for each test. */
export interface StorePlace {
  /** Another store on the same place. One alone is open at a time. */
  store(): Store;
  /** Removes the place, after all its stores are closed. */
  remove(): Promise<void>;
}

export type Optional = 'probe' | 'complaint' | 'warnings' | 'gauges';

export interface ContractOptions {
  /**
   * Optional members that the driver leaves out. The suite says so in a test of its own, and fails
   * when one of them is there after all: nothing is skipped in silence.
   */
  readonly notSupported?: readonly Optional[];
}

type Values = Readonly<Record<string, string | number>>;

const ALL_OPTIONAL: readonly Optional[] = ['probe', 'complaint', 'warnings', 'gauges'];
const TS = '2026-11-23T09:41:46.610360000Z';

/** The rules of stores/store.ts, to be run on every driver. */
export function storeContract(
  driver: Driver,
  makePlace: () => Promise<StorePlace>,
  { notSupported = [] }: ContractOptions = {},
): void {
  describe(`store contract: ${driver}`, () => {
    let place: StorePlace;
    let stores: Store[];
    beforeEach(async () => {
      place = await makePlace();
      stores = [];
    });
    afterEach(async () => {
      for (const store of stores) await store.close(AbortSignal.timeout(5_000));
      await place.remove();
    });

    function unopened(): Store {
      const store = place.store();
      stores.push(store);
      return store;
    }
    async function opened(): Promise<Store> {
      const store = unopened();
      await store.open();
      return store;
    }

    describe('life', () => {
      it('names its driver', () => {
        expect(unopened().driver).toBe(driver);
      });

      it('opens twice as if once', async () => {
        const store = await opened();
        await store.open();
        expect(await store.append(rows(audit()))).toEqual({ duplicates: [] });
        await store.open();
        expect(await store.append(rows(audit()))).toEqual({ duplicates: [] });
      });

      it('closes twice, and unopened', async () => {
        const store = await opened();
        await store.close(AbortSignal.timeout(5_000));
        await store.close(AbortSignal.timeout(5_000));
        await unopened().close(AbortSignal.timeout(5_000));
      });

      it('closes within its signal', async () => {
        const store = await opened();
        const start = performance.now();
        await store.close(AbortSignal.abort());
        expect(performance.now() - start).toBeLessThan(2_000);
      });
      it('closes within its signal after a write, or says what is not in order then', async () => {
        const store = await opened();
        await store.append(rows(audit()));
        const start = performance.now();
        const end = store.close(AbortSignal.abort());
        await end.catch((error: unknown) => expect(error).toBeInstanceOf(StoreError));
        expect(performance.now() - start).toBeLessThan(2_000);
      });
    });

    for (const member of ALL_OPTIONAL) {
      if (notSupported.includes(member)) {
        it(`does not support ${member}`, () => {
          expect(unopened()[member]).toBeUndefined();
        });
      }
    }
    if (!notSupported.includes('probe')) {
      it('proves that a write would succeed, and stores nothing by that', async () => {
        const store = await opened();
        await store.probe?.();
        for (const kind of KINDS) expect(await readAll(store, { kind })).toEqual([]);
      });
    }
    if (!notSupported.includes('complaint')) {
      it('has no complaint when all is well', async () => {
        const store = await opened();
        await store.append(rows(audit()));
        expect(store.complaint?.()).toBeUndefined();
      });
    }
    if (!notSupported.includes('warnings')) {
      it('warns of nothing before it is opened', () => {
        expect(unopened().warnings?.()).toEqual([]);
      });
    }
    if (!notSupported.includes('gauges')) {
      it('tells figures that follow the conventions, in every state', async () => {
        const store = unopened();
        const before = store.gauges?.() ?? [];
        await store.open();
        for (const gauge of [...before, ...(store.gauges?.() ?? [])]) {
          expect(gauge.name).toMatch(/^[a-z][a-z_]*$/);
          expect(gauge.name.endsWith('_total')).toBe(gauge.type === 'counter');
          expect(gauge.help).toMatch(/\.$/);
          expect(Number.isFinite(gauge.value)).toBe(true);
        }
      });
    }

    if (driver === 'postgres' || driver === 'mysql') {
      it('tells how many connections are open, and how many it made to write and to list', async () => {
        const store = await opened();
        const figure = (name: string) => store.gauges?.().find((gauge) => gauge.name === name);
        const figures = () =>
          ['connections', 'connections_made_total'].map((name) => Number(figure(name)?.value));
        const [, made = 0] = figures(); // Of a migration, too.
        await store.append(rows(audit()));
        expect(figures()).toEqual([1, made]);
        for (const _ of 'ab') await store.list(listQuery({}));
        expect(figures()).toEqual([2, made + 1]);
        await store.close(AbortSignal.timeout(5_000));
        expect(figures()).toEqual([0, made + 1]);
      });
    }

    if (driver === 'none') discardingStore(opened);
    else keepingStore(unopened, opened);
  });
}

/** What holds of the store that keeps nothing. */
function discardingStore(opened: () => Promise<Store>): void {
  it('says that it discards, takes everything and answers nothing', async () => {
    const store = await opened();
    expect(store.discards).toBe(true);
    const record = audit();
    expect(await store.append(rows(record, record))).toEqual({ duplicates: [] });
    for (const kind of KINDS) {
      expect(await store.list(listQuery({ kind }))).toEqual({ items: [], next: null });
    }
  });
}

/** What holds of every store that keeps records. */
function keepingStore(unopened: () => Store, opened: () => Promise<Store>): void {
  describe('append', () => {
    it('stores records of all kinds in one batch', async () => {
      const store = await opened();
      expect(store.discards).toBeUndefined();
      const records = [audit(), sandboxEvent(), cost(), audit()];
      expect(await store.append(rows(...records))).toEqual({ duplicates: [] });
      expect(ids(await readAll(store, { kind: AUDIT_EVENT, order: 'asc' }))).toEqual([
        records[0]!.event_id,
        records[3]!.event_id,
      ]);
      expect(await readAll(store, { kind: SANDBOX_EVENT })).toHaveLength(1);
      expect(await readAll(store, { kind: COST_SNAPSHOT })).toHaveLength(1);
    });

    it('takes an empty batch', async () => {
      const store = await opened();
      expect(await store.append(rows())).toEqual({ duplicates: [] });
    });

    it('keeps what it acknowledged when another store opens the place', async () => {
      const store = await opened();
      const record = audit();
      await store.append(rows(record));
      await store.close(AbortSignal.timeout(5_000));
      const next = await opened();
      expect(ids(await readAll(next, { kind: AUDIT_EVENT }))).toEqual([record.event_id]);
    });

    it('names the duplicates across batches, in ascending order', async () => {
      const store = await opened();
      const [a, b, c, d] = [audit(), audit(), audit(), audit()];
      await store.append(rows(b, d));
      expect(await store.append(rows(a, b, c, d))).toEqual({ duplicates: [1, 3] });
      expect(await readAll(store, { kind: AUDIT_EVENT })).toHaveLength(4);
    });

    it('names the duplicates within a batch, and keeps the first', async () => {
      const store = await opened();
      const first = audit({ actor: 'first' });
      const second = { ...first, actor: 'second' };
      expect(await store.append(rows(first, audit(), second, second))).toEqual({
        duplicates: [2, 3],
      });
      const kept = await readAll(store, { event_id: [first.event_id!] });
      expect(kept.map(({ actor }) => actor)).toEqual(['first']);
    });

    it('takes one event id once in each kind, and tells its letters’ case apart', async () => {
      const store = await opened();
      const event_id = `Id-${randomUUID()}`;
      const batch = rows(
        audit({ event_id }),
        sandboxEvent({ event_id }),
        cost({ event_id }),
        audit({ event_id: event_id.toLowerCase() }),
      );
      expect(await store.append(batch)).toEqual({ duplicates: [] });
    });

    it('stores a batch that is sent again once', async () => {
      const store = await opened();
      const batch = Array.from({ length: 50 }, () => audit());
      await store.append(rows(...batch));
      const again = await store.append(rows(...batch));
      expect(again.duplicates).toEqual(batch.map((_, i) => i));
      expect(await readAll(store, { kind: AUDIT_EVENT })).toHaveLength(50);
    });

    it('rejects after close with a StoreError', async () => {
      const store = await opened();
      await store.close(AbortSignal.timeout(5_000));
      await expect(store.append(rows(audit()))).rejects.toBeInstanceOf(StoreError);
      await expect(store.list(listQuery({}))).rejects.toBeInstanceOf(StoreError);
    });

    it('rejects before open', async () => {
      const store = unopened();
      await expect(store.append(rows(audit()))).rejects.toBeInstanceOf(StoreError);
      await expect(store.list(listQuery({}))).rejects.toBeInstanceOf(StoreError);
    });
  });

  describe('values', () => {
    const long = 'x'.repeat(65_535);
    const texts: [string, string][] = [
      ['empty', ''],
      ['with quotes and newlines', `a'b"c\\d\ne\r\tf`],
      ['with control characters', '\u0001\u001f\u007f'],
      ['of many scripts', 'Ünïcödé 汉字 العربية 🦄👩‍👩‍👧'],
      ['with spaces at its ends', '  a  '],
      ['of 65,535 bytes', long],
      ['of 65,535 bytes in wide letters', '汉'.repeat(21_845)],
      ['like a number', '00012.50'],
      ['like SQL', "'); DROP TABLE audit_events; --"],
    ];
    it.each(texts)('keeps a text %s', async (_, details) => {
      const store = await opened();
      const record = audit({ details });
      await store.append(rows(record));
      const [item] = await readAll(store, { kind: AUDIT_EVENT });
      expect(item).toEqual({ ...record, id: expect.stringMatching(/^\d+$/) });
    });

    it('keeps extreme numbers exactly', async () => {
      const store = await opened();
      const numbers = [
        0,
        0.1,
        1 / 3,
        5e-324,
        2.2250738585072014e-308,
        2 ** 53 - 1,
        2 ** 53 + 2,
        1e21,
        123456789.12345679,
        Number.MAX_VALUE,
      ];
      await store.append(rows(...numbers.map((cpu_hours) => cost({ cpu_hours }))));
      const items = await readAll(store, { kind: COST_SNAPSHOT, order: 'asc' });
      expect(items.map(({ cpu_hours }) => cpu_hours)).toEqual(numbers);
    });

    it('keeps the first and the last time there is, in their order', async () => {
      const store = await opened();
      const times = [MIN_TIME, '1969-12-31T23:59:59.999999999Z', TS, MAX_TIME];
      await store.append(rows(...times.map((ts) => audit({ ts })).reverse()));
      const items = await readAll(store, { kind: AUDIT_EVENT, order: 'asc' });
      expect(items.map(({ ts }) => ts)).toEqual(times);
      const between = await readAll(store, { since: MIN_TIME, until: MAX_TIME });
      expect(between).toHaveLength(3);
    });

    it('answers the columns of each kind, in order, after the id', async () => {
      const store = await opened();
      await store.append(rows(audit(), sandboxEvent(), cost()));
      for (const kind of KINDS) {
        const [item] = await readAll(store, { kind });
        expect(Object.keys(item ?? {})).toEqual(['id', ...kind.columns.map(({ name }) => name)]);
      }
    });
  });

  describe('list', () => {
    it('filters by every filter column of every kind', async () => {
      const store = await opened();
      for (const kind of KINDS) {
        for (const column of kind.columns) {
          if (column.type !== 'text' || !column.filter) continue;
          const value = `value of ${column.name}`;
          const record = recordOf(kind, { [column.name]: value });
          await store.append(rows(record, recordOf(kind)));
          const found = await readAll(store, { kind, [column.name]: [value] });
          expect(ids(found)).toEqual([record.event_id]);
        }
      }
    });

    it('takes any of the values of one column, and all of the columns', async () => {
      const store = await opened();
      const make = (actor: string, action: string) => audit({ actor, action });
      const batch = [make('a', 'x'), make('b', 'x'), make('c', 'x'), make('a', 'y')];
      await store.append(rows(...batch));
      const order = 'asc';
      expect(ids(await readAll(store, { order, actor: ['a', 'b'] }))).toEqual(
        ids([batch[0]!, batch[1]!, batch[3]!]),
      );
      expect(ids(await readAll(store, { order, actor: ['a', 'b'], action: ['x'] }))).toEqual(
        ids([batch[0]!, batch[1]!]),
      );
      expect(await readAll(store, { actor: ['nobody'] })).toEqual([]);
      // A value that is asked for twice does not answer its rows twice.
      expect(await readAll(store, { actor: ['c', 'c'] })).toHaveLength(1);
    });

    it('finds event ids', async () => {
      const store = await opened();
      const batch = [audit(), audit(), audit()];
      await store.append(rows(...batch));
      const wanted = [batch[2]!.event_id!, batch[0]!.event_id!, 'unknown'];
      const found = await readAll(store, { event_id: wanted, order: 'asc' });
      expect(ids(found)).toEqual(ids([batch[0]!, batch[2]!]));
    });

    it('compares texts by bytes', async () => {
      const store = await opened();
      const actors = [
        'Ana',
        'ana',
        'ana ',
        ' ana',
        'aná',
        'ana\u0301',
        'ANA',
        'ana🦄',
        'ana🐴',
        '',
      ];
      await store.append(rows(...actors.map((actor) => audit({ actor }))));
      for (const actor of actors) {
        const found = await readAll(store, { actor: [actor] });
        expect(found.map((item) => item.actor)).toEqual([actor]);
      }
    });

    it('begins at since and ends before until', async () => {
      const store = await opened();
      const at = (second: number) => `2026-11-23T09:41:0${second}.000000000Z`;
      const batch = [1, 2, 3, 4].map((second) => audit({ ts: at(second) }));
      await store.append(rows(...batch));
      const found = await readAll(store, { order: 'asc', since: at(2), until: at(4) });
      expect(ids(found)).toEqual(ids([batch[1]!, batch[2]!]));
      expect(await readAll(store, { since: at(2), until: at(2) })).toEqual([]);
      expect(await readAll(store, { since: '2026-11-23T09:41:04.000000001Z' })).toEqual([]);
    });

    it.each(['asc', 'desc'] as const)('pages by ts and then id, %s, none twice', async (order) => {
      const store = await opened();
      const batch = Array.from({ length: 60 }, (_, i) =>
        // Many share one ts, and time does not follow the order of insertion.
        audit({ ts: `2026-11-23T09:41:0${(i * 7) % 4}.000000000Z`, actor: `actor-${i % 3}` }),
      );
      await store.append(rows(...batch));
      const byTime = batch
        .map((record, i) => ({ record, i }))
        .sort((a, b) =>
          a.record.ts! < b.record.ts! ? -1 : a.record.ts! > b.record.ts! ? 1 : a.i - b.i,
        )
        .map(({ record }) => record);
      const wanted = order === 'asc' ? byTime : byTime.toReversed();
      for (const limit of [1, 7, 59, 60, 61, 1_000]) {
        expect(ids(await readAll(store, { order, limit }))).toEqual(ids(wanted));
        const actors = ['actor-0', 'actor-2'];
        const filtered = wanted.filter(({ actor }) => actors.includes(String(actor)));
        expect(ids(await readAll(store, { order, limit, actor: actors }))).toEqual(ids(filtered));
      }
    });

    // A cursor is the caller's to change, or comes from the store that was there before.
    it.each([
      ['a NUL', '2026-11-23T09:41:01.5\u00009'],
      ['a letter beyond ASCII', '2026-11-23T09:41:01.5\u00e9'],
      ['an emoji', '2026-11-23T09:41:01\u{1f984}'],
      ['control characters', '2026-11-23T09:41:01.1\u0001\u007f'],
    ])('goes on after a place that no row of its own can have: %s', async (_, ts) => {
      const store = await opened();
      const [first, second] = [1, 2].map((second) =>
        audit({ ts: `2026-11-23T09:41:0${second}.000000000Z`, actor: 'ana', action: 'create' }),
      );
      await store.append(rows(first!, second!));
      // The last reads in slices.
      for (const filter of [{}, { actor: ['ana'] }, { actor: ['ana'], action: ['create'] }]) {
        const from = (id: string, order: 'asc' | 'desc') =>
          readAll(store, { ...filter, order, after: { ts, id } });
        for (const id of ['-5', '0', '9223372036854775807']) {
          expect(ids(await from(id, 'asc'))).toEqual(ids([second!]));
          expect(ids(await from(id, 'desc'))).toEqual(ids([first!]));
        }
      }
    });

    it('never answers more than the limit, and no next place at the end', async () => {
      const store = await opened();
      await store.append(rows(audit(), audit(), audit()));
      const page = await store.list(listQuery({ limit: 2 }));
      expect(page.items.length).toBeLessThanOrEqual(2);
      expect(page.next).not.toBeNull();
      expect((await store.list(listQuery({ kind: COST_SNAPSHOT }))).next).toBeNull();
    });

    it('stays exact while records come in', async () => {
      const store = await opened();
      const old = Array.from({ length: 30 }, (_, i) =>
        audit({ ts: `2026-11-23T09:41:0${i % 5}.000000000Z` }),
      );
      await store.append(rows(...old));
      const seen: Item[] = [];
      let after: Position | null = null;
      do {
        const page: Awaited<ReturnType<Store['list']>> = await store.list(
          listQuery({ limit: 4, order: 'asc', ...(after === null ? {} : { after }) }),
        );
        seen.push(...page.items);
        after = page.next;
        const ts = `2026-11-23T09:41:0${seen.length % 5}.000000000Z`;
        if (seen.length < 100) await store.append(rows(audit({ ts })));
      } while (after !== null);
      const found = ids(seen);
      expect(new Set(found).size).toBe(found.length);
      expect(found).toEqual(expect.arrayContaining(ids(old)));
    });

    it('answers in parallel with appends', async () => {
      const store = await opened();
      await store.append(rows(...Array.from({ length: 20 }, () => audit())));
      const lists = Promise.all(
        Array.from({ length: 8 }, () => readAll(store, { kind: AUDIT_EVENT, until: MAX_TIME })),
      );
      for (let i = 0; i < 10; i++) await store.append(rows(audit()));
      for (const list of await lists) expect(list.length).toBeGreaterThanOrEqual(20);
      expect(await readAll(store, { kind: AUDIT_EVENT })).toHaveLength(30);
    });
  });
}

/** A query of audit events, newest first, with what is said otherwise; the rest are filters. */
function listQuery(options: Partial<ListQuery> & Record<string, unknown>): ListQuery {
  const { kind = AUDIT_EVENT, order = 'desc', limit = 100, since, until, after, ...rest } = options;
  return {
    kind,
    order,
    limit,
    filters: new Map(Object.entries(rest as Record<string, readonly string[]>)),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(after === undefined ? {} : { after }),
  };
}

/** Follows a list to its end. */
async function readAll(
  store: Store,
  options: Partial<ListQuery> & Record<string, unknown>,
): Promise<Item[]> {
  const items: Item[] = [];
  let after: Position | null = null;
  do {
    const query = listQuery(after === null ? options : { ...options, after });
    const page = await store.list(query);
    expect(page.items.length).toBeLessThanOrEqual(query.limit);
    items.push(...page.items);
    after = page.next;
  } while (after !== null);
  return items;
}

function ids(records: readonly Readonly<Record<string, unknown>>[]): unknown[] {
  return records.map(({ event_id }) => event_id);
}

const kindOf = new WeakMap<Values, Kind>();

/** A record of a kind, every column in its stored form. */
function recordOf(kind: Kind, differs: Values = {}): Values {
  const record: Record<string, string | number> = {};
  for (const column of kind.columns) {
    if (column.type === 'time') record[column.name] = TS;
    else if (column.type === 'event_id') record[column.name] = randomUUID();
    else record[column.name] = column.type === 'number' ? 0.25 : column.example;
  }
  Object.assign(record, differs);
  kindOf.set(record, kind);
  return record;
}

const audit = (differs?: Values) => recordOf(AUDIT_EVENT, differs);
const sandboxEvent = (differs?: Values) => recordOf(SANDBOX_EVENT, differs);
const cost = (differs?: Values) => recordOf(COST_SNAPSHOT, differs);

function rows(...records: readonly Values[]): Rows {
  const writer = new RowWriter();
  for (const record of records) writer.add(kindOf.get(record) ?? AUDIT_EVENT, record);
  return writer.take();
}
