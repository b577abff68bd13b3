import { expect, test } from 'vitest';
import { AUDIT_EVENT, KINDS } from '../../../sidecar/src/records/kinds.ts';
import type { Position } from '../../../sidecar/src/records/list.ts';
import { isStoredTime, parseTime } from '../../../sidecar/src/records/time.ts';
import { integrity, listAll, open, rowsOf, upstreamCopy, withNodeSqlite } from './harness.ts';

type Row = Readonly<Record<string, unknown>>;

function readAll(path: string, table: string): Row[] {
  return withNodeSqlite(path, (other) =>
    other
      .prepare(`SELECT * FROM ${table} ORDER BY id`)
      .all()
      .map((row) => ({ ...row })),
  );
}

test('adopts upstream’s file: every row and id kept, times rewritten, event_id added', async () => {
  const path = upstreamCopy();
  const database = await open(path);
  expect(database.migrated).toMatchObject({ from: 0, to: 1, timesUnreadable: 0 });
  expect(database.notices).toEqual([]);
  database.close();
  let rewritten = 0;
  for (const { table } of KINDS) {
    const after = readAll(path, table);
    for (const { ts } of after) expect(isStoredTime(String(ts))).toBe(true);
    const adopted = readAll(upstreamCopy(), table);
    expect(adopted).toHaveLength(240);
    expect(after).toEqual(
      adopted.map((row) => {
        const ts = parseTime(String(row.ts));
        if (ts !== row.ts) rewritten += 1;
        return { ...row, ts, event_id: null };
      }),
    );
  }
  expect(database.migrated?.timesRewritten).toBe(rewritten);
  expect(integrity(path)).toEqual(['ok']);
});

test('an adopted file is listed, written and opened again without a second adoption', async () => {
  const path = upstreamCopy();
  const first = await open(path);
  const all = { kind: AUDIT_EVENT, filters: new Map(), order: 'asc' as const, limit: 50 };
  const items = listAll(first, all);
  expect(items).toHaveLength(240);
  expect(items[0]).toMatchObject({ id: '1', event_id: null });
  const times = items.map(({ ts }) => `${ts}`);
  expect(times).toEqual([...times].sort());
  first.append(rowsOf(AUDIT_EVENT, [{ event_id: 'new' }]));
  first.close();
  const second = await open(path);
  expect(second.migrated).toBeUndefined();
  expect(second.append(rowsOf(AUDIT_EVENT, [{ event_id: 'new' }])).duplicates).toEqual([0]);
  expect(listAll(second, all)).toHaveLength(241);
});

test('brings rows into the stored form too that AgentTier 0.8 writes after the adoption', async () => {
  const path = upstreamCopy();
  const first = await open(path);
  first.append(rowsOf(AUDIT_EVENT, [{ event_id: 'ours' }]));
  first.close();
  const second = await open(path);
  expect(second.migrated).toBeUndefined();
  second.close();
  withNodeSqlite(path, (other) =>
    other.exec(`INSERT INTO audit_events (ts, action) VALUES ('2026-09-01T10:00:05Z', 'late'), ('soon', 'late');
                INSERT INTO cost_snapshots (ts, sandbox_id) VALUES ('2026-09-01T10:00:05.5Z', 'late')`),
  );
  const again = await open(path);
  expect(again.migrated).toMatchObject({ timesRewritten: 2, timesUnreadable: 1 });
  expect(again.notices).toEqual([expect.stringContaining('1 adopted rows')]);
  again.close();
  const late = readAll(path, 'audit_events').filter(({ action }) => action === 'late');
  expect(late.map(({ ts }) => ts)).toEqual(['2026-09-01T10:00:05.000000000Z', 'soon']);
  expect(readAll(path, 'cost_snapshots').at(-1)?.ts).toBe('2026-09-01T10:00:05.500000000Z');
  const last = await open(path);
  expect(last.migrated).toBeUndefined();
  expect(last.notices).toEqual([]);
});

test('leaves a ts that is no time as it is, says how many, and lists the row', async () => {
  const path = upstreamCopy();
  withNodeSqlite(path, (other) =>
    other.exec(`UPDATE audit_events SET ts = 'last tuesday' WHERE id = 7;
                UPDATE audit_events SET ts = '2026-02-30T00:00:00Z' WHERE id = 8;
                UPDATE audit_events SET ts = '2026-09-01t10:00:00.5+02:00', actor = NULL WHERE id = 9`),
  );
  const database = await open(path);
  expect(database.migrated?.timesUnreadable).toBe(2);
  expect(database.notices).toEqual([expect.stringContaining('2 adopted rows')]);
  const all = { kind: AUDIT_EVENT, filters: new Map(), order: 'asc' as const, limit: 1_000 };
  const items = listAll(database, all);
  expect(items).toHaveLength(240);
  expect(items.find(({ id }) => id === '7')?.ts).toBe('last tuesday');
  expect(items.find(({ id }) => id === '9')).toMatchObject({
    ts: '2026-09-01T08:00:00.500000000Z',
    actor: '',
  });
});

test('a ts that is no UTF-8 becomes a text, counts as unreadable and does not stop a list', async () => {
  const path = upstreamCopy();
  withNodeSqlite(path, (other) =>
    other.exec(`UPDATE audit_events SET ts = CAST(x'ff41' AS TEXT) WHERE id = 7;
                UPDATE audit_events SET ts = CAST(x'32303236ff' AS TEXT) WHERE id = 8;
                UPDATE audit_events SET ts = 'gestern \uFFFD' WHERE id = 9`),
  );
  const database = await open(path);
  expect(database.migrated?.timesUnreadable).toBe(3);
  for (const order of ['asc', 'desc'] as const) {
    const query = { kind: AUDIT_EVENT, filters: new Map(), order, limit: 1 };
    const ids: unknown[] = [];
    for (let after: Position | undefined, pages = 0; pages < 300; pages++) {
      const slice = database.slice(after === undefined ? query : { ...query, after }, 1_000);
      ids.push(...slice.items.map(({ id }) => id));
      if (slice.next === null) break;
      after = slice.next;
    }
    expect(ids).toHaveLength(240);
    expect(new Set(ids).size).toBe(240);
  }
  database.close();
  const times = withNodeSqlite(path, (other) =>
    other.prepare('SELECT ts FROM audit_events WHERE id IN (7, 8, 9) ORDER BY id').all(),
  );
  expect(times.map(({ ts }) => ts)).toEqual(['\uFFFDA', '2026\uFFFD', 'gestern \uFFFD']);
});

test('adopts a large table in batches', async () => {
  const path = upstreamCopy();
  withNodeSqlite(path, (other) =>
    other.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
      INSERT INTO cost_snapshots (id, ts) SELECT i - 9000, '2026-01-01T00:00:00.5Z' FROM n`),
  );
  const database = await open(path);
  database.close();
  const short = 'SELECT count(*) AS n FROM cost_snapshots WHERE length(ts) <> 30';
  expect(withNodeSqlite(path, (other) => other.prepare(short).get())).toEqual({ n: 0 });
});
