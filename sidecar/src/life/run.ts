import type { Loaded } from '../config/config.ts';
import { createLog } from '../telemetry/log.ts';
import { type LogSink, stdoutSink } from '../telemetry/log-sink.ts';
import { endHard } from './end.ts';
import { Faults } from './faults.ts';
import { type Sidecar, startSidecar } from './sidecar.ts';
import { VERSION } from './version.ts';

/** How long the last lines may take to be read. */
const FLUSH_MS = 500;

/** setInterval's longest. */
const FOREVER_MS = 2 ** 31 - 1;

/**
 * A signal so soon after the first is the same wish: the terminal sends Ctrl-C to npm and to the
 * sidecar, and npm passes it on.
 */
const SAME_WISH_MS = 1_000;

/**
 * Runs until SIGTERM, SIGINT or SIGHUP (a terminal that is closed), and ends by nothing else. The first signal begins the orderly
 * shutdown, another one, a second later or more, ends at once.
 */
export async function run(loaded: Loaded): Promise<void> {
  const sink = stdoutSink();
  const log = createLog(loaded.config.logLevel, sink);
  const faults = new Faults();
  faults.watch(log);
  // With no address that can be bound nothing else would hold the process.
  setInterval(() => {}, FOREVER_MS);

  const started = Promise.withResolvers<Sidecar>();
  let sidecar: Sidecar | undefined;
  let shuttingSince: number | undefined;
  let isEnding = false;

  async function onSignal(signal: string): Promise<void> {
    if (shuttingSince === undefined) {
      shuttingSince = performance.now();
      log.info({ signal, grace_ms: loaded.config.shutdownGraceMs }, 'shutting down');
      const { code, clean } = await (await started.promise).shutdown();
      await end(sink, code, clean);
    } else if (!isEnding && performance.now() - shuttingSince >= SAME_WISH_MS) {
      isEnding = true;
      log.warn({ signal, left: sidecar?.queuedRecords }, 'second signal, ending at once');
      await end(sink, 1, false);
    }
  }
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, onSignal);

  log.info({ version: VERSION, node: process.version, pid: process.pid }, 'starting');
  for (const error of loaded.errors) log.error(error);
  for (const warning of loaded.warnings) log.warn(warning);
  sidecar = await startSidecar({ loaded, log, sink, faults });
  started.resolve(sidecar);
}

/** @param clean whether all threads are known to have ended */
async function end(sink: LogSink, code: number, clean: boolean): Promise<never> {
  const flushed = await sink.flush(FLUSH_MS);
  if (clean && flushed) process.exit(code);
  return endHard(code);
}
