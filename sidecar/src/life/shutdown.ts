import { setTimeout as sleep } from 'node:timers/promises';
import type { Left } from '../recorder/submission.ts';
import type { Log } from '../telemetry/log.ts';

/** What a shutdown is made of. */
export interface ShutdownParts {
  /** Milliseconds since records last arrived; 0 while some are arriving. */
  readonly idleMs: () => number;
  /**
   * Refuses records from now on (503, while the listener stays), commits what is queued until the
   * signal aborts, and closes the store.
   *
   * @returns what was left
   */
  readonly drain: (signal: AbortSignal) => Promise<Left>;
  /** Lets answers that are ready reach their callers; resolves within a moment. */
  readonly finishAnswers: () => Promise<void>;
  readonly log: Log;
}

/** A Router that is ending sends its last records within a second of each other. */
const IDLE_MS = 1_000;
const LOOK_MS = 25;

/** Kept of the grace for closing the store and for the process's own end. */
const RESERVE_MS = 1_000;

export interface Ended {
  /** 0 when all that was accepted is safe, and lies as it should; else 1. */
  readonly code: 0 | 1;
  /** False when the store had to be left in the middle of something. */
  readonly clean: boolean;
}

/**
 * Ends in order, within the grace:
 *
 * 1. accepting: a Router that ends at the same moment still gets its last records in, until none
 *    has come for a second (counted from the signal) or half the grace is over;
 * 2. refusing: 503 while it still listens, since closing a listener resets kept connections; what
 *    is queued is committed, the store closed; then on until no record has come for a second;
 * 3. ended: the caller exits.
 */
export async function shutdown(parts: ShutdownParts, graceMs: number): Promise<Ended> {
  const { log } = parts;
  const startedAt = performance.now();
  const elapsed = () => performance.now() - startedAt;

  while (elapsed() < graceMs / 2 && Math.min(parts.idleMs(), elapsed()) < IDLE_MS) {
    await sleep(LOOK_MS);
  }
  const deadline = graceMs - Math.min(RESERVE_MS, graceMs / 4);
  const signal = AbortSignal.timeout(Math.max(0, Math.round(deadline - elapsed())));
  const { records: left, fault: reason } = await parts.drain(signal);
  const clean = !signal.aborted;
  while (elapsed() < deadline && parts.idleMs() < IDLE_MS) await sleep(LOOK_MS);
  await parts.finishAnswers();

  const seconds = Number((elapsed() / 1_000).toFixed(3));
  if (left > 0) {
    log.error({ left, reason, seconds }, 'the grace is over, ending with records left behind');
  } else if (reason !== undefined) {
    log.error({ reason, seconds }, 'nothing is lost, but the store did not close in order, ending');
  } else {
    log.info({ seconds }, 'nothing is left behind, ending');
  }
  return { code: left === 0 && reason === undefined ? 0 : 1, clean };
}
