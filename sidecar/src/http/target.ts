import type { IncomingMessage } from 'node:http';
import type { Problem } from './problem.ts';

/** Origin form (RFC 9112, section 3.2.1) in visible ASCII; a fragment is never sent. */
const ORIGIN_FORM = /^\/[!"$-[\]-~]*$/;

/**
 * Looks at a request's target before any library reads it: one that is not a plain path with
 * perhaps a query is read differently by different readers.
 */
export function targetProblem({ url }: IncomingMessage): Problem | undefined {
  if (url !== undefined && ORIGIN_FORM.test(url)) return undefined;
  const detail = 'the request target must be a path, with all but visible ASCII percent-encoded';
  return { status: 400, detail };
}
