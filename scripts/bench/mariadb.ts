import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { pino } from 'pino';
import * as v from 'valibot';
import { KINDS } from '../../sidecar/src/records/kinds.ts';
import { SCHEMAS } from '../../sidecar/src/records/schema.ts';
import { mysqlStore } from '../../sidecar/src/stores/mysql/mysql-store.ts';
import { dsnSource } from '../../sidecar/src/stores/server/dsn-source.ts';
import type { Store } from '../../sidecar/src/stores/store.ts';
import { startMariadb } from '../../tests/sidecar/support/mariadb-server.ts';
import { batches } from './bodies.ts';
import type { Outcome, Setting } from './figure.ts';
import { insertLoop, RawClient } from './mariadb-client.ts';
import { fill, measureLists } from './mariadb-lists.ts';
import { type Batch, type Contender, renewed, throughStore } from './postgres-contenders.ts';
import type { Latencies } from './postgres-lists.ts';
import { median, percentile } from './statistics.ts';

const SIZE = 1_000;
/** Sandboxes of the simulation that the records come from. */
const SANDBOXES = 200;

const LOOP = 'loop';
const AGAIN = 'loop again';
const STORE = 'store';

/** Batches into MariaDB through the store, compared to a bare statement; lists of a large table. */
export async function mariadb(setting: Setting): Promise<Outcome> {
  const sizes = setting.quick
    ? { rounds: 1, warmup: 1, count: 3, rows: 20_000, samples: 5 }
    : { rounds: 9, warmup: 5, count: 25, rows: 1_000_000, samples: 1_000 };
  // The server may run as another user.
  chmodSync(setting.directory, 0o711);
  const directory = `${setting.directory}/mariadb`;
  mkdirSync(directory);
  const server = await startMariadb({
    directory,
    args: ['--innodb-buffer-pool-size=512M', '--innodb-log-file-size=256M'],
  });
  try {
    const database = await server.createDatabase();
    const store = mysqlStore({
      source: dsnSource({ dsn: server.dsn(database), driver: 'mysql' }),
      version: 'bench',
      log: pino({ level: 'silent' }),
    });
    await store.open();
    const client = new RawClient(server.port, database);
    const [row] = await client.execute('SELECT version()');
    const rates = await measureBatches(setting, sizes, store, client);
    setting.note(`${sizes.rows} rows ...`);
    await fill(client, sizes.rows);
    const { pings, lists } = await measureLists(store, client, sizes);
    client.end();
    await store.close(AbortSignal.timeout(1_000));
    return outcome({ ...sizes, version: String(row?.[0]) }, rates, pings, lists);
  } finally {
    await server[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Rows a second of each contender, round by round. */
type Rates = ReadonlyMap<string, readonly number[]>;

async function measureBatches(
  setting: Setting,
  { rounds, warmup, count }: { rounds: number; warmup: number; count: number },
  store: Store,
  client: RawClient,
): Promise<Rates> {
  const records = validBatches(warmup + count);
  const contenders: Contender[] = [
    throughStore(store),
    insertLoop(LOOP, client),
    insertLoop(AGAIN, client),
  ];
  const rates = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  for (let round = 1; round <= rounds; round++) {
    // Nobody is always first, or always behind the same one.
    const order = round % 2 === 0 ? contenders.toReversed() : contenders;
    for (const contender of order) {
      for (const { table } of KINDS) await client.execute(`TRUNCATE TABLE ${table}`);
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
  const slowest = Math.max(...[...lists.values()].map((all) => percentile(all, 99)));
  const rows = sizes.rows.toLocaleString('en-US');
  return {
    figures: [
      {
        title: 'Rate of batches into MariaDB, compared to a multi-row INSERT in a loop',
        value: median(ratios(rates, STORE)),
        unit: '',
        bound: { least: 0.85 },
      },
      {
        title: `p99 of the slowest list of ${rows} rows in MariaDB, less the p50 of a ping`,
        value: slowest - ping,
        unit: 'ms',
        bound: { most: 10 },
      },
    ],
    how:
      `${sizes.version} on this machine, innodb_flush_log_at_trx_commit = 1. Batches of ${SIZE} ` +
      'records, one after another over one TCP connection, into the tables that the sidecar makes. ' +
      'The store is called in process with rows as they wait in the queue; the loop gives mysql2 ' +
      'JavaScript values for the same prepared statement, each its own transaction. Each turn ' +
      `begins with empty tables and ${sizes.warmup} batches that do not count, then ${sizes.count} ` +
      `that do; medians of the ratios of ${sizes.rounds} rounds, every other one in reverse order. ` +
      `Then ${rows} audit events: ${sizes.samples} samples of each list, 100 rows a page, newest ` +
      'first; deep pages begin behind 60 % of the rows. Pings are `SELECT 1`, in turns with them.',
    facts: [
      ...[...rates].map(
        ([name, all]) => [`${name}, rows a second`, median(all).toFixed(0)] as const,
      ),
      ['the loop compared to itself: least, median, most', spread(ratios(rates, AGAIN))],
      ['the store to the loop: least, median, most', spread(ratios(rates, STORE))],
      ['ping: p50, p99', latencies(pings)],
      ...[...lists].map(([name, all]) => [`${name}: p50, p99`, latencies(all)] as const),
    ],
  };
}

/** Of a contender's rates to the loop's, round by round. */
function ratios(rates: Rates, name: string): number[] {
  const others = rates.get(LOOP) ?? [];
  return (rates.get(name) ?? []).map((rate, i) => rate / (others[i] ?? Number.NaN));
}

function spread(values: readonly number[]): string {
  return [Math.min(...values), median(values), Math.max(...values)]
    .map((value) => value.toFixed(2))
    .join(', ');
}

function latencies(values: readonly number[]): string {
  return [50, 99].map((percent) => `${percentile(values, percent).toFixed(2)} ms`).join(', ');
}
