import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import type { Client } from 'pg';
import { pino } from 'pino';
import * as v from 'valibot';
import { KINDS } from '../../sidecar/src/records/kinds.ts';
import { SCHEMAS } from '../../sidecar/src/records/schema.ts';
import { postgresStore } from '../../sidecar/src/stores/postgres/postgres-store.ts';
import { dsnSource } from '../../sidecar/src/stores/server/dsn-source.ts';
import type { Store } from '../../sidecar/src/stores/store.ts';
import { PostgresServer } from '../../tests/sidecar/support/postgres-server.ts';
import { batches } from './bodies.ts';
import type { Outcome, Setting } from './figure.ts';
import {
  type Batch,
  type Contender,
  copyLoop,
  renewed,
  throughStore,
  unnestLoop,
} from './postgres-contenders.ts';
import { fill, type Latencies, measureLists } from './postgres-lists.ts';
import { median, percentile } from './statistics.ts';

const SIZE = 1_000;
/** Samples of a list are looked at in so many rounds: a machine has its moments. */
const LIST_ROUNDS = 10;
/** Sandboxes of the simulation that the records come from. */
const SANDBOXES = 200;

/** Batches into Postgres through the store, compared to bare statements; lists of a large table. */
export async function postgres(setting: Setting): Promise<Outcome> {
  const sizes = setting.quick
    ? { rounds: 1, warmup: 1, count: 3, rows: 20_000, samples: 5 }
    : { rounds: 11, warmup: 10, count: 60, rows: 1_000_000, samples: 1_000 };
  // The server may run as another user.
  chmodSync(setting.directory, 0o711);
  const directory = `${setting.directory}/postgres`;
  mkdirSync(directory);
  const server = await PostgresServer.start({
    directory,
    settings: { fsync: 'on', synchronous_commit: 'on', shared_buffers: '128MB' },
  });
  try {
    const database = await server.createDatabase();
    const store = postgresStore({
      source: dsnSource({ dsn: server.dsn(database), driver: 'postgres' }),
      version: 'bench',
      log: pino({ level: 'silent' }),
    });
    await store.open();
    const client = await server.client(database);
    const [[version] = []] = await server
      .query('SHOW server_version')
      .then((rows) => rows.map((row) => Object.values(row)));
    const rates = await measureBatches(setting, sizes, store, client);
    await fill(client, sizes.rows);
    const { pings, lists } = await measureLists(store, client, sizes);
    await client.end();
    await store.close(AbortSignal.timeout(1_000));
    return outcome({ ...sizes, version: String(version) }, rates, pings, lists);
  } finally {
    await server[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Rows a second of each contender, round by round. */
type Rates = ReadonlyMap<string, readonly number[]>;

const AGAIN = 'unnest again';

async function measureBatches(
  setting: Setting,
  { rounds, warmup, count }: { rounds: number; warmup: number; count: number },
  store: Store,
  client: Client,
): Promise<Rates> {
  const records = validBatches(warmup + count);
  const contenders: Contender[] = [
    throughStore(store),
    unnestLoop('unnest', client),
    unnestLoop(AGAIN, client),
    copyLoop(client),
  ];
  const rates = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  for (let round = 1; round <= rounds; round++) {
    // Nobody is always first, or always behind the same one.
    const order = round % 2 === 0 ? contenders.toReversed() : contenders;
    for (const contender of order) {
      await client.query(`TRUNCATE ${KINDS.map(({ table }) => table).join(', ')}`);
      await client.query('CHECKPOINT');
      const fresh = renewed(records);
      await contender.prepare(fresh.slice(0, warmup))();
      const run = contender.prepare(fresh.slice(warmup));
      const started = performance.now();
      await run();
      const seconds = (performance.now() - started) / 1_000;
      rates.get(contender.name)?.push((count * SIZE) / seconds);
    }
    const told = [...rates].map(([name, all]) => `${name} ${all.at(-1)?.toFixed(0)}`);
    setting.note(`round ${round}, rows/s: ${told.join(', ')}`);
  }
  return rates;
}

/** Validated beforehand: only the store and the database are measured. */
function validBatches(count: number): Batch[] {
  const found: Batch[] = [];
  for (const { kind, records } of batches(SIZE, SANDBOXES)) {
    const schema = SCHEMAS[kind.index];
    if (schema === undefined) throw new Error(`${kind.name} has no schema`);
    found.push({ kind, records: records.map((fields) => v.parse(schema, { ...fields })) });
    if (found.length === count) break;
  }
  return found;
}

function outcome(
  sizes: { rounds: number; warmup: number; count: number; rows: number; samples: number } & {
    version: string;
  },
  rates: Rates,
  pings: readonly number[],
  lists: Latencies,
): Outcome {
  const ping = median(pings);
  const slowest = Math.max(...[...lists.values()].map((all) => median(p99OfRounds(all))));
  const rows = sizes.rows.toLocaleString('en-US');
  return {
    figures: [
      {
        title: 'Rate of batches into Postgres, compared to an unnest statement in a loop',
        value: median(ratios(rates, 'store', 'unnest')),
        unit: '',
        bound: { least: 0.85 },
      },
      {
        title: 'The same, compared to COPY',
        value: median(ratios(rates, 'store', 'COPY')),
        unit: '',
        bound: { least: 0.6 },
      },
      {
        title: `p99 of the slowest list of ${rows} rows in Postgres, less the p50 of a ping`,
        value: slowest - ping,
        unit: 'ms',
        bound: { most: 10 },
      },
    ],
    how:
      `Postgres ${sizes.version} on this machine, fsync and synchronous_commit on. Batches of ${SIZE} records, ` +
      'one after another over one connection, into the tables that the sidecar makes. The store ' +
      'is called in process with rows as they wait in the queue; the loop gives pg JavaScript ' +
      'arrays for `INSERT ... SELECT FROM unnest(...) ON CONFLICT DO NOTHING`; COPY gets text that ' +
      'is made beforehand, and could not tell duplicates. Each turn begins with empty tables, a ' +
      `checkpoint and ${sizes.warmup} batches that do not count, then ${sizes.count} that do; medians of the ` +
      `ratios of ${sizes.rounds} rounds, every other one in reverse order. Then ${rows} audit events: ` +
      `${sizes.samples} samples of each list, 100 rows a page, newest first; deep pages begin ` +
      'behind 60 % of the rows. Pings are `SELECT 1`, in turns with them. The p99 that counts is ' +
      `the median of those of ${LIST_ROUNDS} rounds.`,
    facts: [
      ...[...rates].map(
        ([name, all]) => [`${name}, rows a second`, median(all).toFixed(0)] as const,
      ),
      ['the loop compared to itself: least, median, most', spread(ratios(rates, AGAIN, 'unnest'))],
      ['the store to the loop: least, median, most', spread(ratios(rates, 'store', 'unnest'))],
      ['the store to COPY: least, median, most', spread(ratios(rates, 'store', 'COPY'))],
      ['ping: p50, p99', latencies(pings)],
      ...[...lists].map(([name, all]) => [`${name}: p50, p99`, latencies(all)] as const),
      ['ping: p99 of each round', p99s(pings)],
      ...[...lists].map(([name, all]) => [`${name}: p99 of each round`, p99s(all)] as const),
    ],
  };
}

function ratios(rates: Rates, one: string, other: string): number[] {
  const others = rates.get(other) ?? [];
  return (rates.get(one) ?? []).map((rate, i) => rate / (others[i] ?? Number.NaN));
}

function p99OfRounds(values: readonly number[]): number[] {
  const size = Math.ceil(values.length / LIST_ROUNDS);
  return Array.from({ length: Math.ceil(values.length / size) }, (_, round) =>
    percentile(values.slice(round * size, (round + 1) * size), 99),
  );
}

function p99s(values: readonly number[]): string {
  return p99OfRounds(values)
    .map((ms) => `${ms.toFixed(1)} ms`)
    .join(', ');
}

function spread(values: readonly number[]): string {
  return [Math.min(...values), median(values), Math.max(...values)]
    .map((value) => value.toFixed(2))
    .join(', ');
}

function latencies(values: readonly number[]): string {
  return [50, 99].map((percent) => `${percentile(values, percent).toFixed(2)} ms`).join(', ');
}
