import type { Problem } from '../problem.ts';
import { READ_RETRY_AFTER_SECONDS } from './limits.ts';

/** What was to be read cannot be had at the moment. */
export function unreadable(why: string): Problem {
  return {
    status: 503,
    detail: `storage cannot be read: ${why}`,
    headers: { 'Retry-After': String(READ_RETRY_AFTER_SECONDS) },
  };
}
