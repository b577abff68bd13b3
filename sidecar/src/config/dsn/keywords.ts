import { DsnError } from './dsn-error.ts';
import type { Parameter } from './parts.ts';

/**
 * Splits libpq's keyword form, `host=db user='me' password='it\'s'`, by the rules of
 * https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-KEYWORD-VALUE: blanks
 * around `=` are ignored, a value with blanks stands in single quotes, a backslash takes the next
 * character as it is. A key without a value is as if it were not there.
 *
 * @throws {DsnError}
 */
export function splitKeywords(dsn: string): Parameter[] {
  const parameters: Parameter[] = [];
  let at = skipBlanks(dsn, 0);
  for (let number = 1; at < dsn.length; number += 1) {
    const key = /[^\s=]*/y;
    key.lastIndex = at;
    const name = key.exec(dsn)?.[0] ?? '';
    const equals = skipBlanks(dsn, at + name.length);
    if (name === '' || dsn[equals] !== '=') {
      throw new DsnError(
        `has no key=value at position ${at + 1} (parameter ${number}); put a value that holds blanks in single quotes`,
      );
    }
    const { value, end } = readValue(dsn, skipBlanks(dsn, equals + 1), number);
    if (value.includes('\0')) throw new DsnError(`has a NUL character in parameter ${number}`);
    if (value !== '') parameters.push({ key: name, value });
    at = skipBlanks(dsn, end);
  }
  return parameters;
}

function skipBlanks(dsn: string, from: number): number {
  const blanks = /\s*/y;
  blanks.lastIndex = from;
  return from + (blanks.exec(dsn)?.[0].length ?? 0);
}

function readValue(dsn: string, from: number, number: number): { value: string; end: number } {
  const quoted = dsn[from] === "'";
  let value = '';
  let at = quoted ? from + 1 : from;
  for (; at < dsn.length; at += 1) {
    const character = dsn[at] ?? '';
    if (quoted ? character === "'" : /\s/.test(character)) break;
    if (character === '\\') at += 1;
    value += dsn[at] ?? '';
  }
  if (quoted && at >= dsn.length) {
    throw new DsnError(
      `has a quote at position ${from + 1} (the value of parameter ${number}) that nothing ends; write a quote inside a value as \\'`,
    );
  }
  return { value, end: quoted ? at + 1 : at };
}
