import { DEFAULT_WAIT_SECONDS, MAX_WAIT_SECONDS } from './limits.ts';

/**
 * The elements of a list of preferences: commas in quoted strings do not part them. A string that
 * is not closed goes to the end; to give it up and look again from each quote would take a header
 * of 16 KiB a quarter of a second.
 */
const ELEMENT = /(?:[^,"]|"(?:[^"\\]|\\.?)*"?)+/g;

/**
 * A `wait` with perhaps a value, whatever parameters follow (RFC 7240, section 2). Each stretch of
 * spaces belongs to one part of the pattern alone, so that a mismatch is found in linear time.
 */
const WAIT = /^\s*wait\s*(?:=\s*(?:([^\s;"]+|"(?:[^"\\]|\\.)*")\s*)?)?(?:;|$)/i;

/** The header that was read last, and what it means: callers repeat theirs with each request. */
let last: { readonly header: string; readonly seconds: number } = { header: '', seconds: 0 };

/**
 * How long a caller prefers to wait for its records to be durable.
 *
 * Only the first `wait` counts; one that cannot be understood is as good as none, as the RFC has
 * it for all preferences.
 *
 * @param header all Prefer fields of the request, joined by commas
 * @returns seconds, 0 where there is nothing to wait for
 */
export function waitSeconds(header: string | string[] | undefined): number {
  if (header === undefined) return 0;
  const text = String(header);
  if (text !== last.header) last = { header: text, seconds: read(text) };
  return last.seconds;
}

function read(header: string): number {
  for (const element of header.match(ELEMENT) ?? []) {
    const match = WAIT.exec(element);
    if (match !== null) return secondsOf(match[1]);
  }
  return 0;
}

function secondsOf(word: string | undefined): number {
  const value = word?.replace(/^"(.*)"$/, '$1') ?? '';
  if (value === '') return DEFAULT_WAIT_SECONDS;
  if (!/^\d+$/.test(value)) return 0;
  return Math.min(Number(value), MAX_WAIT_SECONDS);
}
