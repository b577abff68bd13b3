/** Latencies of lists in a large table, and of a ping over the same kind of connection. */

import type { Client } from 'pg';
import { AUDIT_EVENT } from '../../sidecar/src/records/kinds.ts';
import type { ListQuery, Position } from '../../sidecar/src/records/list.ts';
import type { Store } from '../../sidecar/src/stores/store.ts';

/** Of the API. */
const PAGE = 100;
const ACTORS = 200;
const SANDBOXES = 2_000;

/** Latencies by the name of a list, in milliseconds. */
export type Latencies = ReadonlyMap<string, readonly number[]>;

/** Makes the audit table hold so many events, one a millisecond in the order of their times. */
export async function fill(client: Client, rows: number): Promise<void> {
  await client.query('TRUNCATE audit_events');
  await client.query(
    `INSERT INTO audit_events (ts, actor, action, resource, sandbox_id, details, event_id)
SELECT to_char(timestamp '2026-01-01' + n * interval '1 ms', 'YYYY-MM-DD"T"HH24:MI:SS.US"000Z"'),
  'user-' || n * 7919::bigint % ${ACTORS} || '@example.com', 'exec', 'sandbox',
  'sbx-' || n * 104729::bigint % ${SANDBOXES}, '{"command":"npm test","exit_code":0,"n":' || n || '}',
  md5(n::text)::uuid::text
FROM generate_series(1, $1::int) n`,
    [rows],
  );
  await client.query('VACUUM ANALYZE audit_events');
}

/** Newest first: this share of the rows is newer than where a deep page begins. */
const DEPTH = 0.6;
/** Between the events of two samples: others have another actor and sandbox. */
const STRIDE = 37;

interface Event {
  readonly place: Position;
  readonly actor: string;
  readonly sandbox: string;
}

/** Asks for first and deep pages by actor, sandbox and time, in turns with pings. */
export async function measureLists(
  store: Store,
  client: Client,
  { rows, samples }: { rows: number; samples: number },
): Promise<{ pings: readonly number[]; lists: Latencies }> {
  const lists = new Map<string, number[]>();
  const pings: number[] = [];
  for (let sample = 0; sample < samples; sample++) {
    const deep = Math.floor(rows * (1 - DEPTH)) - ((sample * STRIDE) % Math.floor(rows / 10));
    const { place, actor, sandbox } = await eventAt(client, deep);
    pings.push(await timed(() => client.query('SELECT 1')));
    for (const [by, filters] of [
      ['actor', new Map([['actor', [actor]]])],
      ['sandbox', new Map([['sandbox_id', [sandbox]]])],
      ['time', new Map()],
    ] as const) {
      const first: ListQuery = { kind: AUDIT_EVENT, filters, order: 'desc', limit: PAGE };
      for (const [name, query] of [
        [`first page by ${by}`, first],
        [`deep page by ${by}`, { ...first, after: place }],
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

/** The event with this number, found by its id and so without reading its lists beforehand. */
async function eventAt(client: Client, number: number): Promise<Event> {
  const { rows } = await client.query<{
    ts: string;
    id: string;
    actor: string;
    sandbox_id: string;
  }>(
    'SELECT ts, id::text, actor, sandbox_id FROM audit_events WHERE event_id = md5($1)::uuid::text',
    [String(number)],
  );
  const [row] = rows;
  if (row === undefined) throw new Error(`there is no event ${number}`);
  return { place: { ts: row.ts, id: row.id }, actor: row.actor, sandbox: row.sandbox_id };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
