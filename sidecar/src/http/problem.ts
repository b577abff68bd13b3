import { STATUS_CODES } from 'node:http';

export const PROBLEM_TYPE = 'application/problem+json';

/**
 * What went wrong with a request, as RFC 9457 tells it. The text says what to do about it, and
 * holds nothing of the request's body.
 */
export interface Problem {
  readonly status: number;
  readonly detail: string;
  /** Further members of the problem document. */
  readonly extensions?: Readonly<Record<string, unknown>>;
  /** Header fields that belong to the answer, such as Allow and Retry-After. */
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Renders a problem document. The type is `about:blank`, so the title is the status's own phrase
 * (RFC 9457, section 4.2.1).
 */
export function problemBody(problem: Problem): string {
  const { status, detail, extensions } = problem;
  const title = STATUS_CODES[status] ?? 'Error';
  return JSON.stringify({ type: 'about:blank', title, status, detail, ...extensions });
}
