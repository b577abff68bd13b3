import type { IncomingMessage } from 'node:http';
import type { Problem } from '../problem.ts';

/**
 * The names by which this listener can be meant, with any port: a forwarded one may differ. No name
 * server can make an address mean another host.
 */
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{0,5})?$/i;

/**
 * Refuses requests that name another host. A web page can point its own name at 127.0.0.1 (DNS
 * rebinding) and would then be of the same origin, but its browser still sends that name.
 *
 * @param authority the host that the target names: it goes before the header (RFC 9112, section
 * 3.2.2), but whoever sends both has no reason to mean another host by either
 */
export function hostProblem(
  { rawHeaders }: IncomingMessage,
  authority: string | undefined,
): Problem | undefined {
  let host: string | undefined;
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (name.length !== 4 || (name !== 'Host' && name.toLowerCase() !== 'host')) continue;
    host = rawHeaders[i + 1];
    hosts += 1;
  }
  const isMeant = authority === undefined || LOOPBACK.test(authority);
  if (isMeant && hosts === 1 && host !== undefined && LOOPBACK.test(host)) return undefined;
  const detail =
    'this API is for the same host alone: send one Host header with localhost, 127.0.0.1 or [::1]';
  return { status: 421, detail };
}
