/**
 * Times as RFC 3339 texts. The stored form is UTC with exactly nine fractional digits and `Z`, so
 * that the order of the texts is the order of the times in every database.
 *
 * The fraction never passes through a Date, which holds milliseconds only.
 */

const RFC3339 =
  /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/;

const STORED = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{9}Z$/;

const MINUTE_MS = 60_000;
const DAYS_IN_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** The earliest and the latest time that can be stored. */
export const MIN_TIME = '0001-01-01T00:00:00.000000000Z';
export const MAX_TIME = '9999-12-31T23:59:59.999999999Z';

/**
 * Brings an RFC 3339 time with any offset into the stored form.
 *
 * Fractional digits beyond the ninth are cut. A leap second (23:59:60 UTC at the end of a month,
 * RFC 3339 section 5.7) is stored as :59.999999999, the last instant before it.
 *
 * @returns the stored form, or undefined when the text is not an RFC 3339 time between the years
 * 0001 and 9999 (after the offset is applied).
 */
export function parseTime(text: string): string | undefined {
  const m = RFC3339.exec(text);
  if (m === null) return undefined;
  const year = Number(m[1]);
  const month = Number(m[2]);
  const day = Number(m[3]);
  const hour = Number(m[4]);
  const minute = Number(m[5]);
  const second = Number(m[6]);
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return undefined;
  if (hour > 23 || minute > 59 || second > 60) return undefined;
  const fraction = (m[7] ?? '').slice(0, 9).padEnd(9, '0');
  if (m[8] === undefined && second < 60 && year > 0) {
    return `${m[1]}-${m[2]}-${m[3]}T${m[4]}:${m[5]}:${m[6]}.${fraction}Z`;
  }

  const offsetHour = Number(m[9] ?? 0);
  const offsetMinute = Number(m[10] ?? 0);
  if (offsetHour > 23 || offsetMinute > 59) return undefined;
  const offset = (offsetHour * 60 + offsetMinute) * (m[8] === '-' ? -1 : 1);
  // Date.UTC reads the years 0 to 99 as 1900 to 1999; setUTCFullYear does not.
  const utc = new Date(0);
  utc.setUTCFullYear(year, month - 1, day);
  utc.setUTCHours(hour, minute);
  utc.setTime(utc.getTime() - offset * MINUTE_MS);
  if (utc.getUTCFullYear() < 1 || utc.getUTCFullYear() > 9999) return undefined;
  const upToMinute = utc.toISOString().slice(0, 17);
  if (second < 60) return `${upToMinute}${m[6]}.${fraction}Z`;
  if (!endsMonth(utc)) return undefined;
  return `${upToMinute}59.999999999Z`;
}

let lastMs = Number.NaN;
let lastText = '';

/**
 * Formats a moment for storage. Remembers the last one: under load some twenty records share a
 * millisecond, and a Date's text takes a microsecond, of the forty that a request takes.
 *
 * @param epochMs milliseconds since 1970-01-01T00:00:00Z, as Date.now() gives them
 */
export function formatTime(epochMs: number): string {
  if (epochMs !== lastMs) {
    lastText = `${new Date(epochMs).toISOString().slice(0, 23)}000000Z`;
    lastMs = epochMs;
  }
  return lastText;
}

/** Whether a text is in the stored form already (its digits are not checked for sense). */
export function isStoredTime(text: string): boolean {
  return STORED.test(text);
}

function endsMonth(utc: Date): boolean {
  const lastDay = daysInMonth(utc.getUTCFullYear(), utc.getUTCMonth() + 1);
  return utc.getUTCDate() === lastDay && utc.getUTCHours() === 23 && utc.getUTCMinutes() === 59;
}

function daysInMonth(year: number, month: number): number {
  const leap = month === 2 && (year % 4 === 0 ? year % 100 !== 0 || year % 400 === 0 : false);
  return (DAYS_IN_MONTH[month - 1] ?? 0) + (leap ? 1 : 0);
}
