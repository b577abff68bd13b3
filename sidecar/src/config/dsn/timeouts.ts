import { duration } from '../duration.ts';
import { DsnError } from './dsn-error.ts';

const DAY_MS = 86_400_000;

/** Whole seconds, as libpq and MySQL's own library count; 0 and less set no limit of their own. */
export function connectSeconds(text: string | undefined, key: string): number | undefined {
  return whole(text, key, 1_000, 'seconds');
}

/** Whole milliseconds, as in Java and Node. */
export function connectMilliseconds(text: string | undefined, key: string): number | undefined {
  return whole(text, key, 1, 'milliseconds');
}

function whole(text: string | undefined, key: string, unit: number, word: string) {
  if (text === undefined || text.trim() === '') return undefined;
  const ms = /^\s*-?\d{1,9}\s*$/.test(text) ? Number(text) * unit : Number.NaN;
  if (Number.isNaN(ms) || ms > DAY_MS) {
    throw new DsnError(`has a ${key} that is no whole number of ${word}, at most a day`);
  }
  return ms > 0 ? ms : undefined;
}

const goDuration = duration(DAY_MS);

/** A duration as Go writes it; 0 sets no limit. */
export function connectDuration(text: string | undefined, key: string): number | undefined {
  if (text === undefined) return undefined;
  try {
    const ms = Math.ceil(goDuration(text));
    return ms > 0 ? ms : undefined;
  } catch {
    throw new DsnError(`has a ${key} that is no duration of at most 24h; write it as 10s or 500ms`);
  }
}
