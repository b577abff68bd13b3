import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Config, type Loaded, storageError } from '../config/config.ts';
import { ApiListener } from '../http/api/listener.ts';
import { opsServer } from '../http/ops/ops-server.ts';
import { RequestStats } from '../http/request-stats.ts';
import { Recorder } from '../recorder/recorder.ts';
import type { Log } from '../telemetry/log.ts';
import type { LogSink } from '../telemetry/log-sink.ts';
import { Binding } from './binding.ts';
import { chooseStore } from './choose-store.ts';
import type { Faults } from './faults.ts';
import { type Ended, shutdown } from './shutdown.ts';
import { VERSION } from './version.ts';

/** How long an answer that is ready may take to leave. */
const ANSWERS_MS = 250;

export interface SidecarOptions {
  readonly loaded: Loaded;
  readonly log: Log;
  readonly sink: LogSink;
  readonly faults: Faults;
}

/** The running parts. */
export interface Sidecar {
  /** Records that are not safe yet. */
  readonly queuedRecords: number;
  shutdown(): Promise<Ended>;
}

/**
 * Builds the parts and starts them. Both listeners answer before storage is opened, and whatever
 * becomes of it.
 */
export async function startSidecar(options: SidecarOptions): Promise<Sidecar> {
  const { loaded, log, sink, faults } = options;
  const { config } = loaded;
  const store = await chooseStore(config, log);
  const recorder = new Recorder({ store, queueBytes: config.queueBytes, log });
  const requests = new RequestStats();
  const refusedConnections = { api: 0, ops: 0 };
  const api = new ApiListener({
    recorder,
    store,
    log,
    version: VERSION,
    stats: requests,
    onConnectionRefused: () => {
      refusedConnections.api += 1;
    },
  });

  const bindings: Binding[] = [];
  const figures = {
    version: VERSION,
    requests,
    refusedBodies: () => api.refusedBodies,
    backups: () => api.backups,
    refusedConnections,
    faults: () => faults.count,
    logLinesDropped: () => sink.dropped,
  };
  const configuration = configurationProblems(loaded);
  const amiss = () => [
    ...configuration,
    ...bindings.map(({ problem }) => problem).filter((problem) => problem !== undefined),
  ];
  const ops = opsServer({
    recorder,
    store,
    figures,
    amiss,
    log,
    onConnectionRefused: () => {
      refusedConnections.ops += 1;
    },
  });
  if (config.ops !== undefined) {
    bindings.push(new Binding('ops', ops, config.ops, log));
  }
  if (config.api !== undefined) bindings.push(new Binding('api', api.server, config.api, log));
  for (const binding of bindings) binding.start();
  recorder.start();

  return {
    get queuedRecords() {
      return recorder.ledger.queuedRecords;
    },
    shutdown: () =>
      shutdown(
        {
          idleMs: () => Math.min(api.idleMs, recorder.idleMs),
          drain: (signal) => recorder.close(signal),
          finishAnswers: () => finishAnswers(api.server),
          log,
        },
        config.shutdownGraceMs,
      ),
  };
}

/** What /readyz lists; that storage is down stands there as its own reason. */
function configurationProblems({ config, errors, warnings }: Loaded): string[] {
  const own = ownError(config);
  return [...errors.filter((error) => error !== own), ...warnings];
}

function ownError({ storage }: Config): string | undefined {
  return 'unusable' in storage ? storageError(storage.unusable) : undefined;
}

/** Stops listening; connections end as soon as they have nothing under way. */
async function finishAnswers(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  await Promise.race([closed, sleep(ANSWERS_MS)]);
}
