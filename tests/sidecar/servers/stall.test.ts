import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { expectBalance } from '../e2e/support/account.ts';
import { listAll } from '../e2e/support/stored.ts';
import { type MariadbServer, startMariadb } from '../support/mariadb-server.ts';
import { postAudit, RECORD } from '../support/post.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { type SidecarProcess, startSidecar } from '../support/sidecar-process.ts';
import { until } from '../support/sqlite-store.ts';
import { tcpProxy } from '../support/tcp-proxy.ts';

/** Long enough for /readyz to tell of it, and for a statement to be given up. */
const STALL_MS = 30_000;
const PAUSE_MS = 20;

let postgres: PostgresServer;
let mariadb: MariadbServer;
beforeAll(async () => {
  [postgres, mariadb] = await Promise.all([PostgresServer.start({ version: 15 }), startMariadb()]);
});
afterAll(async () => {
  await postgres?.[Symbol.asyncDispose]();
  await mariadb?.[Symbol.asyncDispose]();
});

/** Of each driver a server's port, and the DSN of a new database by another port. */
const PLACES = {
  Postgres: {
    port: () => postgres.port,
    dsn: async (port: number) => postgres.dsn(await postgres.createDatabase(), { port }),
  },
  MariaDB: {
    port: () => mariadb.port,
    dsn: async (port: number) => mariadb.dsn(await mariadb.createDatabase(), 'root', port),
  },
};

function percentile99(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] as number;
}

/** Posts like a Router, one record after the other, until it is told to stop. */
class Router {
  readonly times: number[] = [];
  readonly posted: string[] = [];
  readonly #sidecar: SidecarProcess;
  readonly #prefix: string;

  constructor(sidecar: SidecarProcess, prefix: string) {
    this.#sidecar = sidecar;
    this.#prefix = prefix;
  }

  async post(): Promise<void> {
    const event_id = `${this.#prefix}-${this.posted.length}`;
    const startedAt = performance.now();
    const response = await postAudit(this.#sidecar.api, { ...RECORD, event_id });
    await response.text();
    this.times.push(performance.now() - startedAt);
    expect(response.status).toBe(202);
    this.posted.push(event_id);
  }

  async expectAllStoredOnce(): Promise<void> {
    const ids = async () =>
      (await listAll(this.#sidecar.api, '/v1/audit-events')).map(({ event_id }) => event_id);
    // expect.poll needs to know its test, which tests that run side by side lose.
    await until(async () => (await ids()).length >= this.posted.length, 30_000);
    expect((await ids()).toSorted()).toEqual(this.posted.toSorted());
  }
}

it.concurrent.for(Object.entries(PLACES))(
  'a POST takes no longer while %s stalls, /readyz says why, and all is stored once',
  async ([name, { port, dsn }], { annotate }) => {
    await using proxy = await tcpProxy({ host: '127.0.0.1', port: port() });
    await using well = await startSidecar({ STORAGE_DSN: await dsn(port()) });
    await using stalled = await startSidecar({ STORAGE_DSN: await dsn(proxy.port) });
    await Promise.all([well.storage('up'), stalled.storage('up')]);

    proxy.mode = 'stall';
    const [without, during] = [new Router(well, 'w'), new Router(stalled, 's')];
    const end = performance.now() + STALL_MS;
    while (performance.now() < end) {
      // Turn and turn about, so that whatever else this machine does falls on both alike.
      await without.post();
      await during.post();
      await sleep(PAUSE_MS);
    }
    const response = await fetch(`${stalled.ops}/readyz`);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      storage: 'down',
      // Who says it depends on how long the driver waits for one statement.
      reason: expect.stringMatching(/ has not answered for \d+ s|no answer within \d+ s/),
    });
    expect((await well.readiness()).storage).toBe('up');

    proxy.mode = 'pass';
    await stalled.storage('up', 30_000);
    await during.expectAllStoredOnce();
    await without.expectAllStoredOnce();
    for (const sidecar of [well, stalled]) expectBalance(await sidecar.metrics());

    const [p99Without, p99During] = [without, during].map(({ times }) => percentile99(times));
    await annotate(
      `${name}: p99 of ${during.times.length} POSTs ${p99During?.toFixed(2)} ms during a stall, ` +
        `${p99Without?.toFixed(2)} ms without`,
    );
    expect(p99During).toBeLessThanOrEqual(10 * (p99Without as number));
  },
);
