import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatTime,
  isStoredTime,
  MAX_TIME,
  MIN_TIME,
  parseTime,
} from '../../../sidecar/src/records/time.ts';

describe('a time', () => {
  it.each([
    ['2026-11-23T09:41:46Z', '2026-11-23T09:41:46.000000000Z'],
    ['2026-11-23T09:41:46.5Z', '2026-11-23T09:41:46.500000000Z'],
    ['2026-11-23t09:41:46.61036z', '2026-11-23T09:41:46.610360000Z'],
    ['2026-11-23T09:41:46.123456789Z', '2026-11-23T09:41:46.123456789Z'],
    ['2026-11-23T09:41:46.1234567899999Z', '2026-11-23T09:41:46.123456789Z'],
    ['2026-11-23T09:41:46.123456789+05:30', '2026-11-23T04:11:46.123456789Z'],
    ['2026-12-31T23:30:00-01:00', '2027-01-01T00:30:00.000000000Z'],
    ['2026-11-23T09:41:46-00:00', '2026-11-23T09:41:46.000000000Z'],
    ['2024-02-29T00:00:00+23:59', '2024-02-28T00:01:00.000000000Z'],
    ['0001-01-01T00:00:00Z', MIN_TIME],
    ['9999-12-31T23:59:59.999999999Z', MAX_TIME],
    ['0050-06-01T00:00:00+01:00', '0050-05-31T23:00:00.000000000Z'],
    ['0000-12-31T23:30:00-01:00', '0001-01-01T00:30:00.000000000Z'],
  ])('%s is stored as %s', (sent, stored) => {
    expect(parseTime(sent)).toBe(stored);
  });

  it.each([
    ['2016-12-31T23:59:60Z'],
    ['2016-12-31T23:59:60.5Z'],
    ['2016-12-31T15:59:60-08:00'],
    ['2017-01-01T05:29:60+05:30'],
  ])('that is a leap second (%s) is stored as the last instant before it', (sent) => {
    expect(parseTime(sent)).toBe('2016-12-31T23:59:59.999999999Z');
  });

  it.each([
    [''],
    ['2026-11-23'],
    ['2026-11-23T09:41Z'],
    ['2026-11-23 09:41:46Z'],
    ['2026-11-23T09:41:46'],
    ['2026-11-23T09:41:46.Z'],
    ['2026-11-23T09:41:46,5Z'],
    ['2026-13-01T00:00:00Z'],
    ['2026-00-01T00:00:00Z'],
    ['2026-02-29T00:00:00Z'],
    ['1900-02-29T00:00:00Z'],
    ['2026-04-31T00:00:00Z'],
    ['2026-11-23T24:00:00Z'],
    ['2026-11-23T09:60:00Z'],
    ['2026-11-23T09:41:61Z'],
    ['2026-11-23T09:41:60Z'],
    ['2026-11-23T09:41:46+24:00'],
    ['2026-11-23T09:41:46+01:60'],
    ['2026-11-23T09:41:46+0100'],
    ['0000-01-01T00:00:00Z'],
    ['0001-01-01T00:00:00+00:01'],
    ['9999-12-31T23:59:59-00:01'],
    [' 2026-11-23T09:41:46Z'],
    ['2026-11-23T09:41:46Z\n'],
    ['２026-11-23T09:41:46Z'],
  ])('is refused when it is %j', (sent) => {
    expect(parseTime(sent)).toBeUndefined();
  });

  it('keeps the order of times in the order of texts, to the nanosecond and for any offset', () => {
    const moment = fc.record({
      ms: fc.integer({ min: Date.UTC(1970, 0), max: Date.UTC(2100, 0) }),
      ns: fc.integer({ min: 0, max: 999_999 }),
      offset: fc.integer({ min: -14 * 60, max: 14 * 60 }),
    });
    const render = (m: { ms: number; ns: number; offset: number }) => {
      const local = new Date(m.ms + m.offset * 60_000).toISOString().slice(0, 23);
      const abs = Math.abs(m.offset);
      const hh = String(Math.floor(abs / 60)).padStart(2, '0');
      const mm = String(abs % 60).padStart(2, '0');
      const sign = m.offset < 0 ? '-' : '+';
      return `${local}${String(m.ns).padStart(6, '0')}${sign}${hh}:${mm}`;
    };
    fc.assert(
      fc.property(moment, moment, (a, b) => {
        const [x, y] = [parseTime(render(a)), parseTime(render(b))];
        if (x === undefined || y === undefined) throw new Error('a valid time was refused');
        const byTime = Math.sign(a.ms - b.ms || a.ns - b.ns);
        expect(isStoredTime(x)).toBe(true);
        expect(x < y ? -1 : Number(x > y)).toBe(byTime);
      }),
    );
  });

  it('of receipt is written in the stored form', () => {
    expect(formatTime(Date.UTC(2026, 10, 23, 9, 41, 46, 610))).toBe(
      '2026-11-23T09:41:46.610000000Z',
    );
  });

  it('of receipt follows the clock, whether it stands still or goes back', () => {
    const at = Date.UTC(2026, 10, 23);
    const texts = [at, at, at + 1, at, Number.NaN, at].map((ms) => {
      try {
        return formatTime(ms).slice(17, 23);
      } catch (error) {
        return (error as Error).name;
      }
    });
    expect(texts).toEqual(['00.000', '00.000', '00.001', '00.000', 'RangeError', '00.000']);
  });
});
