import type { Exchange } from '../exchange.ts';
import type { Problem } from '../problem.ts';
import type { Reservation } from './body-budget.ts';
import { MAX_BODY_BYTES, RETRY_AFTER_SECONDS } from './limits.ts';

export const TOO_LARGE: Problem = {
  status: 413,
  detail: `the body exceeds ${MAX_BODY_BYTES} bytes; send the records in several requests`,
};

/** Nobody is left to read it; it keeps the metrics honest. */
export const BROKEN_OFF: Problem = { status: 400, detail: 'the body broke off' };

const NO_BUDGET: Problem = {
  status: 503,
  detail: 'too many bytes of other bodies are in flight; nothing of this one was taken',
  headers: { 'Retry-After': String(RETRY_AFTER_SECONDS) },
};

/** Takes what a body of that many bytes so far needs of the common budget. */
export function admit(reservation: Reservation, bytes: number): Problem | undefined {
  if (bytes > MAX_BODY_BYTES) return TOO_LARGE;
  return reservation.cover(bytes) ? undefined : NO_BUDGET;
}

/** Takes what the body is announced to need, before any of it is read. */
export function admitAnnounced(exchange: Exchange, reservation: Reservation): Problem | undefined {
  return admit(reservation, Number(exchange.incoming.headers['content-length'] ?? 0));
}

/**
 * Reads a whole body as it came.
 *
 * @returns its bytes, or why they cannot be had; never rejects
 */
export function readBody(
  { incoming }: Exchange,
  reservation: Reservation,
): Promise<Buffer | Problem> {
  return new Promise((resolve) => {
    let first: Buffer | undefined;
    let more: Buffer[] | undefined;
    let bytes = 0;

    function onData(chunk: Buffer): void {
      bytes += chunk.length;
      const problem = admit(reservation, bytes);
      if (problem !== undefined) {
        incoming.off('data', onData).off('end', onEnd);
        resolve(problem);
      } else if (first === undefined) {
        first = chunk;
      } else {
        more ??= [first];
        more.push(chunk);
      }
    }
    function onEnd(): void {
      resolve(more === undefined ? (first ?? Buffer.alloc(0)) : Buffer.concat(more, bytes));
    }
    incoming.on('data', onData);
    incoming.on('end', onEnd);
    // A body that breaks off fails with ECONNRESET and has no end.
    incoming.on('error', () => resolve(BROKEN_OFF));
  });
}
