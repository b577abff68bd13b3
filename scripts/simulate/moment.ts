/**
 * Simulated time: whole microseconds since 1970-01-01T00:00:00Z. Such a number is exact up to the
 * year 2255, which a Date, of milliseconds only, and a number of nanoseconds are not. It knows no
 * time zones, hence no daylight saving.
 */
export type Moment = number;

export const MILLISECOND = 1_000;
export const SECOND = 1_000_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** RFC 3339 in UTC with six fractional digits. */
export function formatMoment(moment: Moment): string {
  if (moment === lastMoment) return lastText;
  const minute = Math.floor(moment / MINUTE);
  if (minute !== lastMinute) {
    lastMinute = minute;
    minutePrefix = new Date(minute * 60_000).toISOString().slice(0, 17);
  }
  const rest = String(moment - minute * MINUTE).padStart(8, '0');
  lastMoment = moment;
  lastText = `${minutePrefix}${rest.slice(0, 2)}.${rest.slice(2)}Z`;
  return lastText;
}

// Records come in order of time, and all snapshots of a quarter of an hour share theirs.
let lastMoment: Moment = Number.NaN;
let lastText = '';
let lastMinute = Number.NaN;
let minutePrefix = '';
