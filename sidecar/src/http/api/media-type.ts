import type { IncomingMessage } from 'node:http';
import type { Problem } from '../problem.ts';

export const JSON_MEDIA_TYPE = 'application/json';
export const NDJSON_MEDIA_TYPE = 'application/x-ndjson';
/** As registered with IANA. */
export const SQLITE_MEDIA_TYPE = 'application/vnd.sqlite3';

/** Parameters do no harm, as long as they do not ask for another encoding than UTF-8. */
const MEDIA_TYPE = /^\s*(application\/(?:json|x-ndjson))\s*(?:;(.*))?$/i;
const CHARSET = /(?:^|;)\s*charset\s*=\s*"?([^\s;"]*)/i;

/**
 * Tells which of the two formats a request's body is in. That it insists on one of them keeps web
 * pages from posting without a preflight, which they do not get.
 */
export function mediaType({ headers }: IncomingMessage): 'json' | 'ndjson' | Problem {
  if (headers['content-encoding'] !== undefined) {
    return {
      status: 415,
      detail: 'send the body as it is, without a Content-Encoding header',
      headers: { 'Accept-Encoding': 'identity' },
    };
  }
  const sent = headers['content-type'];
  if (sent === JSON_MEDIA_TYPE) return 'json';
  const match = MEDIA_TYPE.exec(sent ?? '');
  const charset = CHARSET.exec(match?.[2] ?? '')?.[1] ?? 'utf-8';
  if (match === null || !/^utf-?8$/i.test(charset)) {
    return {
      status: 415,
      detail: `send the header Content-Type: ${JSON_MEDIA_TYPE}, or ${NDJSON_MEDIA_TYPE} for one record a line, both in UTF-8`,
      headers: { 'Accept-Post': `${JSON_MEDIA_TYPE}, ${NDJSON_MEDIA_TYPE}` },
    };
  }
  return match[1]?.toLowerCase() === JSON_MEDIA_TYPE ? 'json' : 'ndjson';
}
