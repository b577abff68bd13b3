import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { pino } from 'pino';
import { KINDS } from '../../../sidecar/src/records/kinds.ts';
import { mysqlStore } from '../../../sidecar/src/stores/mysql/mysql-store.ts';
import { dsnSource } from '../../../sidecar/src/stores/server/dsn-source.ts';
import { startMariadb } from '../../../tests/sidecar/support/mariadb-server.ts';
import type { Outcome, Setting } from '../figure.ts';
import { median } from '../statistics.ts';
import { contest, type Rates, rateFacts, ratios, SIZE, spread, throughStore } from './contest.ts';
import { howLists, type Latencies, listFacts, listFigure, measureLists } from './lists.ts';
import { insertLoop, RawClient } from './mariadb-client.ts';
import { mariadbTable } from './mariadb-table.ts';
import type { Sizes } from './sizes.ts';

const [STORE, LOOP, AGAIN] = ['store', 'loop', 'loop again'] as const;

/** Batches into MariaDB through the store, compared to a bare statement; lists of a large table. */
export async function mariadb(setting: Setting): Promise<Outcome> {
  const sizes: Sizes = setting.quick
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
    const contenders = [
      throughStore(STORE, store),
      insertLoop(LOOP, client),
      insertLoop(AGAIN, client),
    ];
    const rates = await contest(contenders, {
      ...sizes,
      async clear() {
        for (const { table } of KINDS) await client.execute(`TRUNCATE TABLE ${table}`);
      },
      note: setting.note,
    });
    const latencies = await measureLists(store, mariadbTable(client), sizes);
    client.end();
    await store.close(AbortSignal.timeout(1_000));
    return outcome(String(row?.[0]), sizes, rates, latencies);
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
        title: 'Rate of batches into MariaDB, compared to a multi-row INSERT in a loop',
        value: median(ratios(rates, STORE, LOOP)),
        unit: '',
        bound: { least: 0.85 },
      },
      listFigure('MariaDB', rows, latencies),
    ],
    how:
      `${version} on this machine, innodb_flush_log_at_trx_commit = 1. Batches of ${SIZE} ` +
      'records, one after another over one TCP connection, into the tables that the sidecar makes. ' +
      'The store is called in process with rows as they wait in the queue; the loop gives mysql2 ' +
      'JavaScript values for the same prepared statement, each its own transaction. Each turn ' +
      `begins with empty tables and ${warmup} batches that do not count, then ${count} ` +
      `that do; medians of the ratios of ${rounds} rounds, every other one in reverse order. ${howLists(sizes)}`,
    facts: [
      ...rateFacts(rates),
      ['the loop compared to itself: least, median, most', spread(ratios(rates, AGAIN, LOOP))],
      ['the store to the loop: least, median, most', spread(ratios(rates, STORE, LOOP))],
      ...listFacts(latencies),
    ],
  };
}
