import pino from 'pino';
import { Recorder, type RecorderOptions } from '../../../../sidecar/src/recorder/recorder.ts';
import type { Settled, Submitted } from '../../../../sidecar/src/recorder/submission.ts';
import type { Store } from '../../../../sidecar/src/stores/store.ts';
import { FakeStore } from './fake-store.ts';
import { VirtualClock } from './virtual-clock.ts';

export type LogLine = Readonly<Record<string, unknown>>;

/** A log that keeps its lines. */
export function keptLog() {
  const lines: LogLine[] = [];
  const log = pino({ base: null }, { write: (line: string) => lines.push(JSON.parse(line)) });
  return { log, lines };
}

/** A recorder on a store in memory and a clock that stands still. */
export function harness<S extends Store = FakeStore>(
  options: Partial<Omit<RecorderOptions, 'store'>> & { store?: S } = {},
) {
  const store = (options.store ?? new FakeStore()) as S;
  const clock = new VirtualClock();
  const { log, lines } = keptLog();
  const recorder = new Recorder({
    queueBytes: 1_000_000,
    log,
    clock,
    random: () => 0.999,
    ...options,
    store,
  });
  return { store, clock, lines, recorder };
}

/** The promise of a submission that was asked to wait. */
export function settled(submitted: Submitted): Promise<Settled> {
  if (submitted.outcome !== 'queued' || submitted.settled === undefined) {
    throw new Error(`nothing to wait for: ${submitted.outcome}`);
  }
  return submitted.settled;
}
