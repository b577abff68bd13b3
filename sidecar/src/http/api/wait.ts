import type { ServerResponse } from 'node:http';

/**
 * Waits for a promise that never rejects, but not for long.
 *
 * @param done gets its value; undefined when the time is over, or the client has gone; once
 */
export function waitFor<T>(
  promise: Promise<T>,
  seconds: number,
  outgoing: ServerResponse,
  done: (value: T | undefined) => void,
): void {
  const timer = setTimeout(finish, seconds * 1_000, undefined);
  const gone = () => finish(undefined);
  let isDone = false;
  outgoing.on('close', gone);
  void promise.then(finish);

  function finish(value: T | undefined): void {
    if (isDone) return;
    isDone = true;
    clearTimeout(timer);
    outgoing.off('close', gone);
    done(value);
  }
}
