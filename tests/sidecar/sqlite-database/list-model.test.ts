import fc from 'fast-check';
import { expect, onTestFinished, test, vi } from 'vitest';
import {
  AUDIT_EVENT,
  COST_SNAPSHOT,
  type Kind,
  SANDBOX_EVENT,
} from '../../../sidecar/src/records/kinds.ts';
import type { Item, ListQuery, Order } from '../../../sidecar/src/records/list.ts';
import type { Database } from '../../../sidecar/src/stores/sqlite/database/database.ts';
import { comparePositions } from '../../../sidecar/src/stores/sqlite/database/list/order.ts';
import { type Fields, listAll, open, rowsOf, temporaryPath } from './harness.ts';

/** Few values, so that filters match, times collide and the empty text occurs. */
const VALUES = ['', 'a', 'b', 'B', 'ä'];
const TIMES = [0, 1, 2, 3].map((n) => `2026-11-23T09:00:0${n}.000000000Z`);

function record(kind: Kind) {
  const fields: Record<string, fc.Arbitrary<string | number>> = {};
  for (const column of kind.columns) {
    if (column.type === 'time') fields[column.name] = fc.constantFrom(...TIMES);
    if (column.type === 'text') fields[column.name] = fc.constantFrom(...VALUES);
    if (column.type === 'number') fields[column.name] = fc.constantFrom(0, 0.5, 2);
  }
  return fc.record(fields) as fc.Arbitrary<Fields>;
}

function query(kind: Kind): fc.Arbitrary<ListQuery> {
  const columns = kind.columns.filter((column) => column.type === 'text' && column.filter);
  const filters = fc
    .uniqueArray(fc.constantFrom(...columns.map((column) => column.name)), { maxLength: 2 })
    .chain((names) =>
      fc.tuple(
        ...names.map((name) =>
          fc.tuple(
            fc.constant(name),
            fc.array(fc.constantFrom(...VALUES, 'absent'), { minLength: 1, maxLength: 4 }),
          ),
        ),
      ),
    )
    .map((entries) => new Map(entries));
  return fc.record(
    {
      kind: fc.constant(kind),
      filters,
      since: fc.constantFrom(...TIMES),
      until: fc.constantFrom(...TIMES),
      order: fc.constantFrom<Order>('asc', 'desc'),
      limit: fc.integer({ min: 1, max: 30 }),
    },
    { requiredKeys: ['kind', 'filters', 'order', 'limit'] },
  );
}

/** What a list answers, said plainly. */
function model(items: readonly Item[], { filters, since, until, order }: ListQuery): Item[] {
  return items
    .filter((item) => [...filters].every(([name, values]) => values.includes(`${item[name]}`)))
    .filter((item) => since === undefined || `${item.ts}` >= since)
    .filter((item) => until === undefined || `${item.ts}` < until)
    .sort((a, b) => comparePositions(place(a), place(b), order));
}

function place(item: Item) {
  return { ts: `${item.ts}`, id: `${item.id}` };
}

class Filled {
  readonly database: Database;
  readonly kind: Kind;
  readonly items: Item[] = [];

  constructor(database: Database, kind: Kind) {
    this.database = database;
    this.kind = kind;
  }

  insert(records: readonly Fields[]): void {
    const full = records.map((fields) => ({ ...fields, event_id: crypto.randomUUID() }));
    this.database.append(rowsOf(this.kind, full));
    const first = this.items.length + 1;
    full.forEach((fields, i) => {
      this.items.push({ id: String(first + i), ...fields });
    });
  }
}

for (const kind of [AUDIT_EVENT, SANDBOX_EVENT, COST_SNAPSHOT]) {
  test(`answers every filter, order, time range and limit on ${kind.table} as a plain model does`, async () => {
    const filled = new Filled(await open(temporaryPath()), kind);
    filled.insert(fc.sample(record(kind), { numRuns: 400, seed: 7 }));
    fc.assert(
      fc.property(query(kind), (asked) => {
        expect(listAll(filled.database, asked)).toEqual(model(filled.items, asked));
        const page = filled.database.slice(asked, 1_000);
        expect(page.items).toEqual(model(filled.items, asked).slice(0, asked.limit));
        expect(page.next === null).toBe(model(filled.items, asked).length <= asked.limit);
      }),
      { numRuns: 150 },
    );
  });
}

test('a list stays exact while records are inserted: none twice, none skipped', async () => {
  const filled = new Filled(await open(temporaryPath()), AUDIT_EVENT);
  filled.insert(fc.sample(record(AUDIT_EVENT), { numRuns: 60, seed: 3 }));
  const insertions = fc.array(fc.array(record(AUDIT_EVENT), { maxLength: 5 }), { maxLength: 40 });
  // Each look at the clock takes a millisecond, so that hurried slices see a few rows each time.
  let looks = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => looks++);
  onTestFinished(() => clock.mockRestore());
  fc.assert(
    fc.property(query(AUDIT_EVENT), insertions, fc.boolean(), (asked, arrivals, hurried) => {
      const expected = model(filled.items, asked);
      const seen: Item[] = [];
      let next = asked;
      for (;;) {
        const slice = filled.database.slice(next, hurried ? 20 : 1_000_000);
        seen.push(...slice.items);
        const { next: after } = slice;
        if (after === null) break;
        next = { ...asked, after };
        const arrived = arrivals.shift();
        if (arrived === undefined) continue;
        const count = filled.items.length;
        filled.insert(arrived);
        // What is stored before a slice is asked for is in the list, if its place is yet to come.
        const rest = filled.items.slice(count);
        expected.push(
          ...rest.filter((item) => comparePositions(place(item), after, asked.order) > 0),
        );
      }
      expect(seen).toEqual(model(expected, asked));
    }),
    { numRuns: 150 },
  );
});

test('lists of the same filters that go on side by side do not disturb each other', async () => {
  const filled = new Filled(await open(temporaryPath()), AUDIT_EVENT);
  filled.insert(fc.sample(record(AUDIT_EVENT), { numRuns: 200, seed: 5 }));
  const filters = new Map([['sandbox_id', ['', 'a', 'b']]]);
  const asked: ListQuery = { kind: AUDIT_EVENT, filters, order: 'desc', limit: 7 };
  const expected = model(filled.items, asked);
  const lists = Array.from({ length: 3 }, () => ({ next: asked as ListQuery, seen: [] as Item[] }));
  for (let turn = 0, open = 3; open > 0; turn++) {
    const list = lists[turn % 3];
    if (list === undefined || (list.next === asked && turn >= 3)) continue;
    const { items, next } = filled.database.slice(list.next, turn % 2);
    list.seen.push(...items);
    if (next === null) open -= 1;
    list.next = next === null ? asked : { ...asked, after: next };
  }
  for (const { seen } of lists) expect(seen).toEqual(expected);
});
