/** Latencies of lists in a large table, and of a ping over the same kind of connection. */

import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import type { ListQuery, Position } from '../../../sidecar/src/records/list.ts';
import type { Store } from '../../../sidecar/src/stores/store.ts';
import type { Figure } from '../figure.ts';
import { median, percentile } from '../statistics.ts';
import type { Sizes } from './sizes.ts';

/** Distinct values of the events in the table. */
export const ACTORS = 200;
export const SANDBOXES = 2_000;

/** Rows of a page, as the API has it. */
const PAGE = 100;
/** Newest first: this share of the rows is newer than where a deep page begins. */
const DEPTH = 0.6;
/** Between the events of two samples: others have another actor and sandbox. */
const STRIDE = 37;
/** The samples are looked at in so many rounds: a machine has its moments. */
const ROUNDS = 10;

export interface Event {
  readonly place: Position;
  readonly actor: string;
  readonly sandbox: string;
}

/** The audit table of a database server, past the store. */
export interface LargeTable {
  /** Makes it hold so many events, one a millisecond in the order of their times, and no others. */
  fill(rows: number): Promise<void>;
  /** The event with this number, from 1, found without reading any list beforehand. */
  eventAt(number: number): Promise<Event>;
  /** Runs `SELECT 1`. */
  ping(): Promise<unknown>;
}

/** Milliseconds of each sample. */
export interface Latencies {
  readonly pings: readonly number[];
  /** By the name of the list. */
  readonly lists: ReadonlyMap<string, readonly number[]>;
}

/** Fills the table and asks for first and deep pages by actor, sandbox and time, in turns with pings. */
export async function measureLists(
  store: Store,
  table: LargeTable,
  { rows, samples }: Pick<Sizes, 'rows' | 'samples'>,
): Promise<Latencies> {
  await table.fill(rows);
  const lists = new Map<string, number[]>();
  const pings: number[] = [];
  for (let sample = 0; sample < samples; sample++) {
    const deep = Math.floor(rows * (1 - DEPTH)) - ((sample * STRIDE) % Math.floor(rows / 10));
    const { place, actor, sandbox } = await table.eventAt(deep);
    pings.push(await timed(() => table.ping()));
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

/** The figure that is promised of lists. */
export function listFigure(server: string, rows: number, { pings, lists }: Latencies): Figure {
  const slowest = Math.max(...[...lists.values()].map((all) => median(p99OfRounds(all))));
  return {
    title: `p99 of the slowest list of ${rows.toLocaleString('en-US')} rows in ${server}, less the p50 of a ping`,
    value: slowest - median(pings),
    unit: 'ms',
    bound: { most: 10 },
  };
}

/** How {@link measureLists} and {@link listFigure} go about it. */
export function howLists({ rows, samples }: Pick<Sizes, 'rows' | 'samples'>): string {
  return (
    `Then ${rows.toLocaleString('en-US')} audit events: ${samples} samples of each list, ${PAGE} rows a page, ` +
    `newest first; deep pages begin behind ${DEPTH * 100} % of the rows. Pings are \`SELECT 1\`, in turns with ` +
    `them. The p99 that counts is the median of those of ${ROUNDS} rounds.`
  );
}

/** What lies behind the figure. */
export function listFacts({ pings, lists }: Latencies): (readonly [string, string])[] {
  const all = [['ping', pings] as const, ...lists];
  return [
    ...all.map(([name, values]) => [`${name}: p50, p99`, latencies(values)] as const),
    ...all.map(([name, values]) => [`${name}: p99 of each round`, p99s(values)] as const),
  ];
}

function p99OfRounds(values: readonly number[]): number[] {
  const size = Math.ceil(values.length / ROUNDS);
  return Array.from({ length: Math.ceil(values.length / size) }, (_, round) =>
    percentile(values.slice(round * size, (round + 1) * size), 99),
  );
}

function p99s(values: readonly number[]): string {
  return p99OfRounds(values)
    .map((ms) => `${ms.toFixed(1)} ms`)
    .join(', ');
}

function latencies(values: readonly number[]): string {
  return [50, 99].map((percent) => `${percentile(values, percent).toFixed(2)} ms`).join(', ');
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
