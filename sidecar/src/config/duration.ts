import { BadValue, shown } from './bad-value.ts';

const MILLISECONDS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3, // U+00B5, micro sign
  μs: 1e-3, // U+03BC, Greek mu
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

const TERM = /(?<number>\d+\.?\d*|\.\d+)(?<unit>ns|us|µs|μs|ms|s|m|h)/y;

/**
 * Creates a parser of durations in the form of Go's time.ParseDuration, which Kubernetes and the
 * Router use (`20s`, `1m30s`, `500ms`, `0`), to milliseconds.
 *
 * @throws {BadValue} when it is none, is negative, or longer than the maximum
 */
export function duration(maxMs: number): (text: string) => number {
  return (text) => {
    const ms = text === '0' ? 0 : parse(text);
    if (ms === undefined) {
      throw new BadValue(
        `is ${shown(text)}, which is not a duration; write it with its unit, as 20s or 1m30s`,
      );
    }
    if (ms > maxMs) {
      throw new BadValue(`is ${shown(text)}, which is longer than ${maxMs / 3_600_000}h`);
    }
    return ms;
  };
}

function parse(text: string): number | undefined {
  let ms = 0;
  let at = 0;
  while (at < text.length) {
    TERM.lastIndex = at;
    const { number, unit } = TERM.exec(text)?.groups ?? {};
    if (number === undefined || unit === undefined) return undefined;
    ms += Number(number) * (MILLISECONDS[unit] ?? 0);
    at = TERM.lastIndex;
  }
  return at === 0 ? undefined : ms;
}
