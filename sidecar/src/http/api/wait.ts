import type { ServerResponse } from 'node:http';

/**
 * Waits for a promise that never rejects, but not for long.
 *
 * @returns its value; undefined when the time is over, or the client has gone
 */
export function waitFor<T>(
  promise: Promise<T>,
  seconds: number,
  outgoing: ServerResponse,
): Promise<T | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(finish, seconds * 1_000, undefined);
    const gone = () => finish(undefined);
    outgoing.on('close', gone);
    void promise.then(finish);

    function finish(value: T | undefined): void {
      clearTimeout(timer);
      outgoing.off('close', gone);
      resolve(value);
    }
  });
}
