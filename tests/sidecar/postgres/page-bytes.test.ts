import { expect, it } from 'vitest';
import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import { type ListQuery, PAGE_BYTES, type Position } from '../../../sidecar/src/records/list.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { storeAt } from '../support/postgres-store.ts';

const ROWS = 20_000;
/** One row in so many matches, so that a slice finds less than makes a page full. */
const EVERY = 40;
const DETAILS = 65_535;

it('a page that takes several slices holds no more than one', async () => {
  await using server = await PostgresServer.start();
  const database = await server.createDatabase();
  const store = storeAt(server.dsn(database));
  await store.open();
  await server.query(
    `INSERT INTO audit_events (ts, actor, action, resource, sandbox_id, details, event_id)
      SELECT '2026-11-23T09:41:46.000000000Z', 'a', CASE n % ${EVERY} WHEN 0 THEN 'rare' ELSE 'x' END,
        'x', 'x', CASE n % ${EVERY} WHEN 0 THEN repeat('d', ${DETAILS}) END, 'e' || n
      FROM generate_series(1, ${ROWS}) n`,
    database,
  );
  await server.query('ALTER TABLE audit_events ADD weight INT DEFAULT 1, ADD upto INT', database);
  for (const order of ['asc', 'desc'] as const) {
    const query: ListQuery = {
      kind: AUDIT_EVENT,
      filters: new Map([['action', ['rare']]]),
      order,
      limit: 1_000,
    };
    const found: string[] = [];
    let after: Position | null = null;
    do {
      const page: Awaited<ReturnType<typeof store.list>> = await store.list(
        after === null ? query : { ...query, after },
      );
      expect(page.items.length * DETAILS).toBeLessThan(PAGE_BYTES + DETAILS);
      found.push(...page.items.map(({ event_id }) => String(event_id)));
      after = page.next;
    } while (after !== null);
    const all = Array.from({ length: ROWS / EVERY }, (_, i) => `e${(i + 1) * EVERY}`);
    expect(found).toEqual(order === 'asc' ? all : all.reverse());
  }
  await store.close(AbortSignal.timeout(1_000));
});
