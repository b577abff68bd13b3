import type { Problem } from '../problem.ts';

/** A query's parameters in the order of their first appearance, each with all its values. */
export type QueryParameters = ReadonlyMap<string, readonly string[]>;

/**
 * Reads a query strictly: what cannot be decoded is refused, where libraries would guess. A `+` is
 * a space, as forms and URLSearchParams have it.
 *
 * @param target the request's target as it came
 */
export function parseQuery(target: string): QueryParameters | Problem {
  const parameters = new Map<string, string[]>();
  const mark = target.indexOf('?');
  if (mark === -1) return parameters;
  for (const part of target.slice(mark + 1).split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = decode(equals === -1 ? part : part.slice(0, equals));
    if (name === undefined) return bad('the name of a query parameter');
    const value = decode(equals === -1 ? '' : part.slice(equals + 1));
    if (value === undefined) return bad(/^\w{1,64}$/.test(name) ? name : 'a query parameter');
    const values = parameters.get(name);
    if (values === undefined) parameters.set(name, [value]);
    else values.push(value);
  }
  return parameters;
}

/** @returns undefined for broken escapes, malformed UTF-8 and NUL, which no record holds */
function decode(text: string): string | undefined {
  try {
    const decoded = decodeURIComponent(text.replaceAll('+', ' '));
    return decoded.includes('\0') ? undefined : decoded;
  } catch {
    return undefined;
  }
}

function bad(what: string): Problem {
  return {
    status: 400,
    detail: `${what} must be well-formed UTF-8 without NUL, percent-encoded`,
  };
}
