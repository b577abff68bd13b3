/** Latencies of lists in a large table, and of a ping over the same kind of connection. */

import { AUDIT_EVENT } from '../../sidecar/src/records/kinds.ts';
import type { ListQuery } from '../../sidecar/src/records/list.ts';
import type { Store } from '../../sidecar/src/stores/store.ts';
import type { RawClient } from './mariadb-client.ts';
import type { Latencies } from './postgres-lists.ts';

/** Of the API. */
const PAGE = 100;
const ACTORS = 200;
const SANDBOXES = 2_000;
/** Rows of one statement that fills the table. */
const PART = 100_000;

/** Makes the audit table hold so many events, one a millisecond in the order of their times. */
export async function fill(client: RawClient, rows: number): Promise<void> {
  await client.execute('TRUNCATE TABLE audit_events');
  for (let first = 1; first <= rows; first += PART) {
    const last = Math.min(rows, first + PART - 1);
    await client.execute(
      `INSERT INTO audit_events (ts, actor, action, resource, sandbox_id, details, event_id)
SELECT date_format(TIMESTAMP'2026-01-01 00:00:00' + INTERVAL seq * 1000 MICROSECOND, '%Y-%m-%dT%H:%i:%s.%f000Z'),
  concat('user-', seq * 7919 % ${ACTORS}, '@example.com'), 'exec', 'sandbox',
  concat('sbx-', seq * 104729 % ${SANDBOXES}),
  concat('{"command":"npm test","exit_code":0,"n":', seq, '}'), concat('event-', seq)
FROM seq_${first}_to_${last}`,
    );
  }
}

/** Newest first: this share of the rows is newer than where a deep page begins. */
const DEPTH = 0.6;
/** Between the events of two samples: others have another actor and sandbox. */
const STRIDE = 37;

/** Asks for first and deep pages by actor, sandbox and time, in turns with pings. */
export async function measureLists(
  store: Store,
  client: RawClient,
  { rows, samples }: { rows: number; samples: number },
): Promise<{ pings: readonly number[]; lists: Latencies }> {
  const lists = new Map<string, number[]>();
  const pings: number[] = [];
  for (let sample = 0; sample < samples; sample++) {
    const deep = Math.floor(rows * (1 - DEPTH)) - ((sample * STRIDE) % Math.floor(rows / 10));
    const [ts, id, actor, sandbox] = await eventAt(client, deep);
    pings.push(await timed(() => client.execute('SELECT 1')));
    for (const [by, filters] of [
      ['actor', new Map([['actor', [actor]]])],
      ['sandbox', new Map([['sandbox_id', [sandbox]]])],
      ['time', new Map()],
    ] as const) {
      const first: ListQuery = { kind: AUDIT_EVENT, filters, order: 'desc', limit: PAGE };
      for (const [name, query] of [
        [`first page by ${by}`, first],
        [`deep page by ${by}`, { ...first, after: { ts, id } }],
      ] as const) {
        const latencies = lists.get(name) ?? [];
        lists.set(name, latencies);
        latencies.push(
          await timed(async () => {
            const { items } = await store.list(query);
            if (items.length === 0) throw new Error(`the ${name} is empty`);
          }),
        );
      }
    }
  }
  return { pings, lists };
}

/** Time, id, actor and sandbox of the event with this number, found without reading any list. */
async function eventAt(
  client: RawClient,
  number: number,
): Promise<readonly [string, string, string, string]> {
  const [row] = await client.execute(
    'SELECT ts, id, actor, sandbox_id FROM audit_events WHERE event_id = ?',
    [`event-${number}`],
  );
  if (row === undefined) throw new Error(`there is no event ${number}`);
  const [ts, id, actor, sandbox] = row.map(String);
  return [ts ?? '', id ?? '', actor ?? '', sandbox ?? ''];
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
