import type { IncomingMessage } from 'node:http';
import { readChunks } from './chunks.ts';
import { DISCARD_BYTES, DISCARD_MS } from './limits.ts';

/** Whether a request announces a body, by RFC 9112 section 6.3. */
export function hasBody({ headers }: IncomingMessage): boolean {
  if (headers['transfer-encoding'] !== undefined) return true;
  const length = headers['content-length'];
  return length !== undefined && length !== '0';
}

/**
 * Reads what is left of a body that nobody wants, so that a client which only reads once it has
 * sent all gets its answer. Past a bound of time or bytes the connection is closed instead.
 *
 * @returns a promise that resolves, never rejects, when nothing more will come
 */
export function discardBody(incoming: IncomingMessage): Promise<void> {
  if (incoming.complete || incoming.destroyed || !hasBody(incoming)) return Promise.resolve();
  return new Promise((resolve) => {
    let left = DISCARD_BYTES;
    const timer = setTimeout(giveUp, DISCARD_MS);
    const stop = readChunks(incoming, {
      take(chunk) {
        left -= chunk.length;
        if (left < 0) giveUp();
      },
      end: finish,
    });
    incoming.on('error', finish).on('close', finish);
    incoming.resume();

    function giveUp(): void {
      finish();
      incoming.socket.destroySoon();
    }
    function finish(): void {
      clearTimeout(timer);
      stop();
      incoming.off('close', finish);
      resolve();
    }
  });
}
