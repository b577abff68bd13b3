import { BadValue, shown } from './bad-value.ts';

/** Suffixes of Kubernetes' quantities that can mean a number of bytes. */
const FACTORS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** A number, then a suffix or an exponent, never both. */
const QUANTITY =
  /^(?<number>\d+\.?\d*|\.\d+)(?:(?<suffix>[kMGTPE]i?|Ki)|[eE](?<exponent>[+-]?\d+))?$/;

/**
 * Creates a parser of bytes in the form of Kubernetes' resource quantities (`64Mi`, `1G`, `1e6`,
 * `1048576`), https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/.
 * A fraction of a byte is rounded up, as Kubernetes does.
 *
 * @throws {BadValue} when it is none, or lies outside of the range
 */
export function quantity(range: { min: number; max: number }): (text: string) => number {
  return (text) => {
    const bytes = parse(text);
    if (bytes === undefined) {
      throw new BadValue(
        `is ${shown(text)}, which is not a number of bytes; write it as 32Mi, 1G or 1048576`,
      );
    }
    if (bytes < range.min || bytes > range.max) {
      throw new BadValue(
        `is ${shown(text)}, which is not between ${range.min} and ${range.max} bytes`,
      );
    }
    return bytes;
  };
}

function parse(text: string): number | undefined {
  const { number, suffix, exponent } = QUANTITY.exec(text)?.groups ?? {};
  if (number === undefined) return undefined;
  const factor = exponent === undefined ? FACTORS[suffix ?? ''] : Number(`1e${exponent}`);
  if (factor === undefined) return undefined;
  // The product's rounding error must not add a byte: 1.1 * 1e3 is 1100.0000000000002.
  const bytes = Math.ceil(Number((Number(number) * factor).toPrecision(15)));
  // 0e999 is no number.
  return Number.isNaN(bytes) ? undefined : bytes;
}
