import { formatTime, MIN_TIME, parseTime } from '../../records/time.ts';

const DURATION = /^(?:\d{1,9}[smhdw])+$/;
const UNIT_MS: Record<string, number> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};
/** 0001-01-01T00:00:00Z. */
const MIN_EPOCH_MS = -62_135_596_800_000;

/**
 * Reads a moment of a list's range: an RFC 3339 time, or a duration back from now (`24h`, `30d`,
 * `1h30m`; also `s` and `w`).
 *
 * @param now milliseconds since the epoch
 * @returns the stored form, or undefined when it is neither
 */
export function parseMoment(text: string, now: number): string | undefined {
  if (!DURATION.test(text)) {
    // A + that was not percent-encoded arrives as a space; a time has no other.
    return parseTime(text.replace(/ (?=\d\d:\d\d$)/, '+'));
  }
  let back = 0;
  for (const [part] of text.matchAll(/\d+\w/g)) {
    back += Number(part.slice(0, -1)) * (UNIT_MS[part.slice(-1)] ?? 0);
  }
  const moment = now - back;
  return moment < MIN_EPOCH_MS ? MIN_TIME : formatTime(moment);
}
