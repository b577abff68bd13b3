import { randomBytes } from 'node:crypto';

/** What is echoed: short and plain enough to be safe in any log. */
const PLAIN = /^[A-Za-z0-9_.-]{1,128}$/;

/** Tells this process from others; the counter tells its requests apart, for next to nothing. */
const PROCESS = randomBytes(6).toString('hex');
let issued = 0;

/** The caller's own X-Request-Id where it is plain, else a new one. */
export function requestId(sent?: string | string[]): string {
  if (typeof sent === 'string' && PLAIN.test(sent)) return sent;
  issued += 1;
  return `${PROCESS}-${issued.toString(36)}`;
}
