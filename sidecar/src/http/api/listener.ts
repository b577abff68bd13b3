import type { Server } from 'node:http';
import { KINDS } from '../../records/kinds.ts';
import type { Store } from '../../stores/store.ts';
import { describeError } from '../../telemetry/describe-error.ts';
import { Fold } from '../../telemetry/fold.ts';
import type { Log } from '../../telemetry/log.ts';
import { API_CONNECTIONS, API_PIPELINED } from '../limits.ts';
import type { RequestStats } from '../request-stats.ts';
import { hardenedServer } from '../server.ts';
import { Activity } from './activity.ts';
import { type BackupCounts, backup } from './backup.ts';
import { BodyBudget } from './body-budget.ts';
import { hostProblem } from './guard.ts';
import { type Intaker, ingest } from './ingest.ts';
import { BODIES_IN_FLIGHT_BYTES, PAGES_IN_FLIGHT_BYTES } from './limits.ts';
import { list } from './list.ts';
import { type ApiRoute, openApiDocument } from './openapi.ts';
import { backupOperation, ingestOperation, listOperation, openApiOperation } from './operations.ts';
import { PageBudget } from './page-budget.ts';
import { JSON_TYPE } from './receipt.ts';
import { type BodyRefusal, RefusedBodies } from './refused-bodies.ts';
import { Turns } from './turns.ts';

export interface ApiOptions {
  readonly recorder: Intaker;
  readonly store: Pick<Store, 'list' | 'backup' | 'driver'>;
  readonly log: Log;
  /** Of the product, for the OpenAPI document. */
  readonly version: string;
  readonly stats?: RequestStats;
  /** Told of a connection that was one too many. */
  readonly onConnectionRefused?: () => void;
}

/** The API: records in, lists out. It must listen on a loopback address and on nothing else. */
export class ApiListener {
  /** Not listening yet. */
  readonly server: Server;
  readonly #budget = new BodyBudget(BODIES_IN_FLIGHT_BYTES);
  readonly #pages = new PageBudget(PAGES_IN_FLIGHT_BYTES);
  readonly #activity = new Activity();
  readonly #refusedBodies = new RefusedBodies();
  readonly #backups: BackupCounts = { sent: 0, cut: 0 };

  constructor(options: ApiOptions) {
    const { log, stats } = options;
    this.server = hardenedServer({
      routes: this.#routes(options),
      maxConnections: API_CONNECTIONS,
      maxPipelined: API_PIPELINED,
      onConnectionRefused: options.onConnectionRefused ?? (() => {}),
      log,
      guard: hostProblem,
      isClosing: () => options.recorder.isClosing,
      onCut: ({ method }) => {
        if (method === 'POST') this.#refusedBodies.add('pipelined');
      },
      ...(stats && { stats }),
    });
  }

  /** Milliseconds since the last POST's records were read; 0 while one is being read. */
  get idleMs(): number {
    return this.#activity.idleMs;
  }

  /** Bytes of the bodies that are being read or parsed. */
  get bodyBytes(): number {
    return this.#budget.held;
  }

  /** Bytes of the pages that are being read or sent. */
  get pageBytes(): number {
    return this.#pages.held;
  }

  /** Bodies that were refused before their records were counted, by reason. */
  get refusedBodies(): Readonly<Record<BodyRefusal, number>> {
    return this.#refusedBodies.counts;
  }

  /** Backups, by how they ended. */
  get backups(): Readonly<BackupCounts> {
    return this.#backups;
  }

  #routes({ recorder, store, log, version }: ApiOptions): ApiRoute[] {
    const failures = new Fold();
    const onError = (error: unknown) => {
      const facts = describeError(error);
      failures.tell(`${facts.name} ${facts.frames[0]}`, (repeated) =>
        log.error({ ...facts, repeated }, 'list failed'),
      );
    };
    const ingestParts = {
      recorder,
      budget: this.#budget,
      turns: new Turns(),
      activity: this.#activity,
      refusedBodies: this.#refusedBodies,
    };
    const backupParts = { store, counts: this.#backups, log };
    const listParts = { store, budget: this.#pages, onError };

    const routes: ApiRoute[] = KINDS.flatMap((kind): ApiRoute[] => [
      {
        method: 'POST',
        path: `/v1/${kind.path}`,
        operation: ingestOperation(kind),
        handle: (exchange) => ingest(kind, exchange, ingestParts),
      },
      {
        method: 'GET',
        path: `/v1/${kind.path}`,
        operation: listOperation(kind),
        handle: (exchange) => exchange.whenConnected(() => list(kind, exchange, listParts)),
      },
    ]);
    routes.push({
      method: 'GET',
      path: '/v1/backup',
      operation: backupOperation,
      handle: (exchange) => exchange.whenConnected(() => backup(exchange, backupParts)),
    });
    let document: string | undefined;
    routes.push({
      method: 'GET',
      path: '/openapi.json',
      operation: openApiOperation,
      handle: (exchange) => {
        document ??= JSON.stringify(openApiDocument(routes, version));
        exchange.reply(200, JSON_TYPE, document);
      },
    });
    return routes;
  }
}
