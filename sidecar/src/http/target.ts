import type { IncomingMessage } from 'node:http';
import type { Problem } from './problem.ts';

/** Origin form (RFC 9112, section 3.2.1) in visible ASCII; a fragment is never sent. */
const ORIGIN_FORM = /^\/[!"$-[\]-~]*$/;

/** Absolute form (section 3.2.2), cut behind its authority; the path may be empty. */
const ABSOLUTE_FORM = /^http:\/\/([!"$-.0-;=@-[\]-~]+)([/?].*)?$/i;

/** What a request's target says besides the path. */
export interface Target {
  /** The host that it names, which then goes before the Host header; undefined in origin form. */
  readonly authority: string | undefined;
}

export const PLAIN_PATH: Target = { authority: undefined };

/**
 * Reads a request's target before any library does, and leaves the path with perhaps a query in
 * `url`: what is not plainly that is read differently by different readers. Proxies send a whole URL,
 * which a server must take too (RFC 9112, section 3.2.2).
 */
export function takeTarget(incoming: IncomingMessage): Target | Problem {
  const { url = '' } = incoming;
  if (ORIGIN_FORM.test(url)) return PLAIN_PATH;
  const [, authority, rest = ''] = ABSOLUTE_FORM.exec(url) ?? [];
  const path = rest.startsWith('/') ? rest : `/${rest}`;
  if (authority !== undefined && ORIGIN_FORM.test(path)) {
    incoming.url = path;
    return { authority };
  }
  const detail =
    'the request target must be a path or an http URL, with all but visible ASCII percent-encoded';
  return { status: 400, detail };
}
