import type { ServerResponse } from 'node:http';

/** A promise that never rejects, and what tells it that nobody waits any longer. */
export interface Pending<T> {
  readonly promise: Promise<T>;
  readonly forget: () => void;
}

/**
 * Waits for a promise, but not for long.
 *
 * @param done gets its value; undefined when the time is over, or the client has gone; once
 */
export function waitFor<T>(
  { promise, forget }: Pending<T>,
  seconds: number,
  outgoing: ServerResponse,
  done: (value: T | undefined) => void,
): void {
  const timer = setTimeout(giveUp, seconds * 1_000);
  let isDone = false;
  outgoing.on('close', giveUp);
  void promise.then(finish);

  function giveUp(): void {
    forget();
    finish(undefined);
  }

  function finish(value: T | undefined): void {
    if (isDone) return;
    isDone = true;
    clearTimeout(timer);
    outgoing.off('close', giveUp);
    done(value);
  }
}
