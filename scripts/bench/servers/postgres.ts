import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { pino } from 'pino';
import { KINDS } from '../../../sidecar/src/records/kinds.ts';
import { postgresStore } from '../../../sidecar/src/stores/postgres/postgres-store.ts';
import { dsnSource } from '../../../sidecar/src/stores/server/dsn-source.ts';
import { PostgresServer } from '../../../tests/sidecar/support/postgres-server.ts';
import type { Outcome, Setting } from '../figure.ts';
import { median } from '../statistics.ts';
import { contest, type Rates, rateFacts, ratios, SIZE, spread, throughStore } from './contest.ts';
import { howLists, type Latencies, listFacts, listFigure, measureLists } from './lists.ts';
import { copyLoop, unnestLoop } from './postgres-contenders.ts';
import { postgresTable } from './postgres-table.ts';
import type { Sizes } from './sizes.ts';

const [STORE, LOOP, AGAIN, COPY] = ['store', 'unnest', 'unnest again', 'COPY'] as const;

/** Batches into Postgres through the store, compared to bare statements; lists of a large table. */
export async function postgres(setting: Setting): Promise<Outcome> {
  const sizes: Sizes = setting.quick
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
    const contenders = [
      throughStore(STORE, store),
      unnestLoop(LOOP, client),
      unnestLoop(AGAIN, client),
      copyLoop(COPY, client),
    ];
    const rates = await contest(contenders, {
      ...sizes,
      async clear() {
        await client.query(`TRUNCATE ${KINDS.map(({ table }) => table).join(', ')}`);
        await client.query('CHECKPOINT');
      },
      note: setting.note,
    });
    const latencies = await measureLists(store, postgresTable(client), sizes);
    await client.end();
    await store.close(AbortSignal.timeout(1_000));
    return outcome(String(version), sizes, rates, latencies);
  } finally {
    await server[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  }
}

function outcome(version: string, sizes: Sizes, rates: Rates, latencies: Latencies): Outcome {
  const { rounds, warmup, count, rows } = sizes;
  return {
    figures: [
      {
        title: 'Rate of batches into Postgres, compared to an unnest statement in a loop',
        value: median(ratios(rates, STORE, LOOP)),
        unit: '',
        bound: { least: 0.85 },
      },
      {
        title: 'The same, compared to COPY',
        value: median(ratios(rates, STORE, COPY)),
        unit: '',
        bound: { least: 0.6 },
      },
      listFigure('Postgres', rows, latencies),
    ],
    how:
      `Postgres ${version} on this machine, fsync and synchronous_commit on. Batches of ${SIZE} records, ` +
      'one after another over one connection, into the tables that the sidecar makes. The store ' +
      'is called in process with rows as they wait in the queue; the loop gives pg JavaScript ' +
      'arrays for `INSERT ... SELECT FROM unnest(...) ON CONFLICT DO NOTHING`; COPY gets text that ' +
      'is made beforehand, and could not tell duplicates. Each turn begins with empty tables, a ' +
      `checkpoint and ${warmup} batches that do not count, then ${count} that do; medians of the ` +
      `ratios of ${rounds} rounds, every other one in reverse order. ${howLists(sizes)}`,
    facts: [
      ...rateFacts(rates),
      ['the loop compared to itself: least, median, most', spread(ratios(rates, AGAIN, LOOP))],
      ['the store to the loop: least, median, most', spread(ratios(rates, STORE, LOOP))],
      ['the store to COPY: least, median, most', spread(ratios(rates, STORE, COPY))],
      ...listFacts(latencies),
    ],
  };
}
