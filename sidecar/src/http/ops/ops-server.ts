import type { Server } from 'node:http';
import type { Recorder } from '../../recorder/recorder.ts';
import type { Store } from '../../stores/store.ts';
import { EXPOSITION_TYPE, render } from '../../telemetry/exposition.ts';
import type { Log } from '../../telemetry/log.ts';
import { processFamilies } from '../../telemetry/process-families.ts';
import { OPS_CONNECTIONS, OPS_PIPELINED } from '../limits.ts';
import type { Route } from '../routes.ts';
import { hardenedServer } from '../server.ts';
import { readiness } from './readiness.ts';
import { type ServerFigures, serverFamilies } from './server-families.ts';
import { storageFamilies } from './storage-families.ts';

export interface OpsOptions {
  readonly recorder: Recorder;
  readonly store: Store;
  readonly figures: ServerFigures;
  /** What is wrong with the process itself, at this moment. */
  readonly amiss: () => readonly string[];
  readonly log: Log;
  /** Told of a connection that was one too many. */
  readonly onConnectionRefused?: () => void;
}

/**
 * Creates the listener for the kubelet and Prometheus. It has no Host check: they use addresses. It
 * does not listen yet.
 */
export function opsServer(options: OpsOptions): Server {
  return hardenedServer({
    routes: routes(options),
    maxConnections: OPS_CONNECTIONS,
    maxPipelined: OPS_PIPELINED,
    onConnectionRefused: options.onConnectionRefused ?? (() => {}),
    log: options.log,
  });
}

function routes({ recorder, store, figures, amiss }: OpsOptions): Route[] {
  // In one turn: the account of the records must be of one moment.
  const exposition = () =>
    render([...storageFamilies(recorder, store), ...serverFamilies(figures), ...processFamilies()]);
  let underWay: Promise<string> | undefined;
  return [
    {
      method: 'GET',
      path: '/healthz',
      handle: (exchange) => exchange.reply(200, 'text/plain; charset=utf-8', 'ok\n'),
    },
    {
      // Always 200: storage being down must not take the Router out of its Service.
      method: 'GET',
      path: '/readyz',
      handle: (exchange) =>
        exchange.reply(200, 'application/json', readiness(recorder.status(), amiss())),
    },
    {
      method: 'GET',
      path: '/metrics',
      handle: async (exchange) => {
        // All who ask at once get one answer: to make each its own would hold up the API.
        underWay ??= exposition().finally(() => {
          underWay = undefined;
        });
        exchange.reply(200, EXPOSITION_TYPE, await underWay);
      },
    },
  ];
}
