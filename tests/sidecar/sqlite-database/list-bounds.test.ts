import { expect, onTestFinished, test, vi } from 'vitest';
import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import type { ListQuery } from '../../../sidecar/src/records/list.ts';
import { planList } from '../../../sidecar/src/stores/sqlite/database/list/plan.ts';
import { readRows } from '../../../sidecar/src/stores/sqlite/database/read-rows.ts';
import { applySettings } from '../../../sidecar/src/stores/sqlite/database/settings.ts';
import { openConnection } from '../../../sidecar/src/stores/sqlite/engine/engine.ts';
import type { FileLayer } from '../../../sidecar/src/stores/sqlite/files/file-layer.ts';
import { nodeFiles } from '../../../sidecar/src/stores/sqlite/files/node-files.ts';
import { listAll, open, rowsOf, temporaryPath, withNodeSqlite } from './harness.ts';

const ALL: ListQuery = { kind: AUDIT_EVENT, filters: new Map(), order: 'desc', limit: 100 };

function filled(count: number, fields: (i: number) => Record<string, string> = () => ({})) {
  return rowsOf(
    AUDIT_EVENT,
    Array.from({ length: count }, (_, i) => fields(i)),
  );
}

test('a slice stops at its time though nothing matched, and the next goes on from there', async () => {
  const database = await open(temporaryPath());
  for (let n = 0; n < 10; n++) database.append(filled(5_000));
  const nothing = { ...ALL, filters: new Map([['action', ['absent']]]) };
  slowDisk();
  let slices = 0;
  for (let query: ListQuery = nothing; ; slices++) {
    const start = performance.now();
    const { items, next } = database.slice(query, 4);
    expect(performance.now() - start).toBeLessThan(5);
    expect(items).toEqual([]);
    if (next === null) break;
    query = { ...nothing, after: next };
  }
  expect(slices).toBeGreaterThan(1);
});

test('pages through rows that all share one ts in time that grows with their number', async () => {
  const database = await open(temporaryPath());
  for (let n = 0; n < 20; n++) database.append(filled(5_000));
  const time = (query: ListQuery) => {
    const start = performance.now();
    for (let n = 0; n < 20; n++) expect(database.slice(query, 1_000).items).toHaveLength(100);
    return performance.now() - start;
  };
  time(ALL);
  const ts = '2026-11-23T09:00:00.000000000Z';
  for (const order of ['asc', 'desc'] as const) {
    const atStart = time({ ...ALL, order });
    const inMiddle = time({ ...ALL, order, after: { ts, id: '50000' } });
    expect(inMiddle).toBeLessThan(atStart * 10);
  }
});

test('a page ends at its bound of bytes, and holds one row at least', async () => {
  const database = await open(temporaryPath());
  const details = 'x'.repeat(60_000);
  database.append(filled(20, () => ({ details })));
  const { items, next, bytes } = database.slice(ALL, 1_000, 200_000);
  expect(items).toHaveLength(4);
  expect(bytes).toBeGreaterThanOrEqual(4 * 60_000);
  expect(next).toEqual({ ts: items[3]?.ts, id: items[3]?.id });
  expect(database.slice(ALL, 1_000, 1).items).toHaveLength(1);
  expect(database.slice(ALL, 0).items.length).toBeGreaterThan(0);
});

test('a thousand values of a filter neither skip nor repeat, nor take long', async () => {
  const database = await open(temporaryPath());
  database.append(filled(3_000, (i) => ({ sandbox_id: `s-${i % 1_000}` })));
  const values = Array.from({ length: 1_000 }, (_, i) => `s-${i}`);
  const query = { ...ALL, limit: 1_000, filters: new Map([['sandbox_id', values]]) };
  const ids = listAll(database, query, 20).map(({ id }) => Number(id));
  expect(ids).toEqual(Array.from({ length: 3_000 }, (_, i) => 3_000 - i));
});

/** A disk that takes a millisecond for each read, by a clock on which nothing else takes much. */
function slowDisk() {
  let reads = 0;
  let looks = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => reads + looks++ * 0.002);
  onTestFinished(() => clock.mockRestore());
  const files: FileLayer = {
    ...nodeFiles,
    read(...range) {
      reads += 1;
      return nodeFiles.read(...range);
    },
  };
  return { files, reads: () => reads };
}

/** 12,800 small rows of 400 sandboxes in turn, and 40 of one with long details. */
async function scatteredFile(): Promise<string> {
  const path = temporaryPath();
  const database = await open(path);
  const at = (hour: number, i: number) => `2026-11-23T${hour}:00:00.${String(i).padStart(9, '0')}Z`;
  for (let hour = 10; hour < 18; hour++) {
    database.append(
      filled(1_600, (i) => ({
        sandbox_id: `s-${i % 400}`,
        actor: `a-${i % 7}`,
        details: 'y'.repeat(300),
        ts: at(hour, i),
      })),
    );
  }
  const long = { sandbox_id: 'long', details: 'x'.repeat(65_000) };
  for (const hour of [20, 21]) database.append(filled(20, (i) => ({ ...long, ts: at(hour, i) })));
  database.close();
  return path;
}

const HUNDRED = Array.from({ length: 100 }, (_, i) => `s-${i * 4}`);

for (const [what, filters, rows, cacheBytes] of [
  ['rows with long texts', { sandbox_id: ['long'] }, 40, 4_000_000],
  ['scattered rows of which none matches', { sandbox_id: ['s-7'], actor: ['none'] }, 0, 4_000_000],
  ['a hundred values', { sandbox_id: HUNDRED }, 3_200, 4_000_000],
  ['a hundred values that do not fit the cache', { sandbox_id: HUNDRED }, 3_200, 60_000],
  ['values of which none matches', { sandbox_id: HUNDRED, actor: ['none'] }, 0, 4_000_000],
] as const) {
  test(`on a slow disk a list of ${what} takes slices that end in time`, async () => {
    const path = await scatteredFile();
    const disk = slowDisk();
    const database = await open(path, { files: disk.files, cacheBytes });
    const ids = new Set<unknown>();
    let longest = 0;
    let query: ListQuery = { ...ALL, filters: new Map(Object.entries(filters)) };
    for (let items = 0; ; ) {
      const before = disk.reads();
      const { items: found, next } = database.slice(query, 8);
      longest = Math.max(longest, disk.reads() - before);
      for (const { id } of found) ids.add(id);
      items += found.length;
      if (next === null || items > rows) {
        expect(items).toBe(rows);
        break;
      }
      query = { ...query, after: next };
    }
    expect(ids.size).toBe(rows);
    // Its time, a seek, and the twenty pages of a row with long texts.
    expect(longest).toBeLessThanOrEqual(32);
  });
}

test('many values are begun over several slices without a read more than at once', async () => {
  const path = await scatteredFile();
  const query = { ...ALL, filters: new Map([['sandbox_id', HUNDRED]]) };
  const disk = slowDisk();
  const readsOf = async (budgetMs: number) => {
    const database = await open(path, { files: disk.files, cacheBytes: 4_000_000 });
    const before = disk.reads();
    expect(listAll(database, query, budgetMs)).toHaveLength(3_200);
    const reads = disk.reads() - before;
    database.close();
    return reads;
  };
  const atOnce = await readsOf(1_000_000);
  expect(await readsOf(8)).toBeLessThan(atOnce * 1.2);
});

test('finds event ids by their index, in the order of the list', async () => {
  const database = await open(temporaryPath());
  const at = (second: number) => `2026-11-23T09:00:0${second}.000000000Z`;
  database.append(filled(3, (i) => ({ event_id: `e-${i}`, ts: at(2 - i) })));
  const query = { ...ALL, filters: new Map([['event_id', ['e-2', 'E-1', 'e-0', 'e-2']]]) };
  expect(listAll(database, query).map(({ event_id }) => event_id)).toEqual(['e-0', 'e-2']);
  expect(listAll(database, { ...query, until: at(2) }).map(({ id }) => id)).toEqual(['3']);
});

test('reads what others wrote: NULLs as empty or 0, ids of any size, a ts of any form', async () => {
  const path = temporaryPath();
  await open(path).then((database) => database.close());
  withNodeSqlite(path, (other) =>
    other.exec(`INSERT INTO audit_events (id, ts) VALUES
        (-5, ''), (0, 'yesterday'), (9007199254740993, '2026'), (9223372036854775806, '2026'),
        (7, '🚀'), (8, '\uFFFD');
      INSERT INTO cost_snapshots (id, ts) VALUES (1, '2026')`),
  );
  const database = await open(path);
  const expected = ['-5', '9007199254740993', '9223372036854775806', '0', '8', '7'];
  for (const limit of [1, 2, 100]) {
    for (const filters of [new Map(), new Map([['actor', ['', 'x']]])]) {
      const ascending = listAll(database, { ...ALL, filters, limit, order: 'asc' });
      expect(ascending.map(({ id }) => id)).toEqual(expected);
      const descending = listAll(database, { ...ALL, filters, limit });
      expect(descending.map(({ id }) => id)).toEqual([...expected].reverse());
      expect(descending[0]).toMatchObject({ actor: '', details: '', event_id: null });
    }
  }
});

test('every scan is a search of its index in the order of the answer, even after ANALYZE', async () => {
  const path = temporaryPath();
  const database = await open(path);
  database.append(filled(500, (i) => ({ sandbox_id: `s-${i % 2}`, actor: `a-${i}` })));
  database.close();
  withNodeSqlite(path, (other) => other.exec('ANALYZE'));
  const connection = await openConnection({ path, files: nodeFiles });
  try {
    applySettings(connection, 1_000_000);
    for (const [column, index, equal] of [
      [undefined, 'audit_events_by_ts', ''],
      ['actor', 'audit_events_by_actor', 'actor=? AND '],
      ['sandbox_id', 'audit_events_by_sandbox_id', 'sandbox_id=? AND '],
    ] as const) {
      for (const order of ['asc', 'desc'] as const) {
        const filters = new Map([['action', ['x', 'y']]]);
        if (column !== undefined) filters.set(column, ['v']);
        const plan = planList({ ...ALL, filters, order });
        const how = (sql: string) =>
          readRows(connection, `EXPLAIN QUERY PLAN ${sql}`, 4).map(([, , , detail]) => detail);
        const search = `SEARCH audit_events USING INDEX ${index} (${equal}`;
        expect(how(plan.rangeSql('>=', true))).toEqual([`${search}ts>? AND ts<?)`]);
        expect(how(plan.rangeSql('>', false))).toEqual([`${search}ts>? AND ts<?)`]);
        const beyond = order === 'asc' ? '>' : '<';
        expect(how(plan.tieSql)).toEqual([`${search}ts=? AND rowid${beyond}?)`]);
      }
    }
  } finally {
    connection.close();
  }
});
