import type { IncomingMessage } from 'node:http';
import { readChunks } from '../chunks.ts';
import type { Exchange } from '../exchange.ts';
import type { Problem } from '../problem.ts';
import type { Reservation } from './body-budget.ts';
import { MAX_BODY_BYTES, RETRY_AFTER_SECONDS } from './limits.ts';
import { Pieces } from './pieces.ts';

const TOO_LARGE: Problem = {
  status: 413,
  detail: `the body exceeds ${MAX_BODY_BYTES} bytes; send the records in several requests`,
};

/** Nobody is left to read it; it keeps the metrics honest. */
export const BROKEN_OFF: Problem = { status: 400, detail: 'the body broke off' };

export const NO_BUDGET: Problem = {
  status: 503,
  detail: 'too many bytes of other bodies are in flight; nothing of this one was taken',
  headers: { 'Retry-After': String(RETRY_AFTER_SECONDS) },
};

/** Takes what a body of that many bytes so far needs of the common budget. */
export function admit(reservation: Reservation, bytes: number): Problem | undefined {
  if (bytes > MAX_BODY_BYTES) return TOO_LARGE;
  return reservation.cover(bytes) ? undefined : NO_BUDGET;
}

/**
 * Why a body is refused before any of it is read, going by the length that it announces. What it
 * takes of the common budget is what has arrived: announcing is cheap.
 */
export function announcedProblem({ incoming }: Exchange): Problem | undefined {
  return announcedBytes(incoming) > MAX_BODY_BYTES ? TOO_LARGE : undefined;
}

/** The body's length where it is announced, else 0. */
function announcedBytes({ headers }: IncomingMessage): number {
  return Number(headers['content-length'] ?? 0);
}

/**
 * Reads a whole body as it came.
 *
 * @param done gets its bytes, or why they cannot be had; once, and never before this returns
 */
export function readBody(
  exchange: Exchange,
  reservation: Reservation,
  done: (body: Buffer | Problem) => void | Promise<void>,
): void {
  const { incoming } = exchange;
  const body = new Pieces(announcedBytes(incoming));

  const stop = readChunks(incoming, {
    take(chunk) {
      const problem = admit(reservation, body.length + chunk.length);
      if (problem === undefined) {
        body.add(chunk);
        return;
      }
      stop();
      end(problem);
    },
    end: () => end(body.take()),
  });
  // A body that breaks off fails with ECONNRESET and has no end.
  incoming.on('error', () => end(BROKEN_OFF));

  function end(read: Buffer | Problem): void {
    if (hasEnded) return;
    hasEnded = true;
    exchange.run(() => done(read));
  }
  let hasEnded = false;
}
