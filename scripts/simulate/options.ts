import { parseArgs } from 'node:util';
import { parseTime } from '../../sidecar/src/records/time.ts';

export interface Options {
  readonly sandboxes: number;
  readonly days: number;
  /** Records a second; undefined: as fast as they are taken. */
  readonly rate: number | undefined;
  readonly seed: string;
  readonly startMs: number;
  readonly url: URL;
  /** Most records of one request. */
  readonly batch: number;
  readonly connections: number;
  /** Ask for each batch to be on the disk before it is acknowledged (Prefer: wait). */
  readonly wait: boolean;
}

export const HELP = `Usage: npm run simulate -- [options]

Sends what a fleet of sandboxes would record to a running sidecar, and tells what became of it.

  --sandboxes N    sandboxes at a time                     (default 200)
  --days N         days of history                         (default 30)
  --rate max|N     records a second                        (default max)
  --seed TEXT      equal seeds give equal records          (default 1)
  --start TIME     when it begins, RFC 3339 or a date      (default: N days before the last midnight, UTC)
  --url URL        the sidecar's API                       (default http://127.0.0.1:8085)
  --batch N        most records of a request, to 50,000    (default 500)
  --connections N  requests at a time, to 256              (default 4)
  --wait           wait until each batch is on the disk    (Prefer: wait=60)
  --help           this text

Records carry their own times and event ids: sending them again, with the same seed and start,
stores nothing twice.

Exit status: 0 all acknowledged; 1 some refused, or the sidecar gone; 2 bad arguments.
`;

/** A problem with the arguments; its message is for the user. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/**
 * Reads the command line.
 *
 * @param nowMs the present, from which the default of --start is taken
 * @returns 'help' when that was asked for
 * @throws UsageError naming the argument and what it should be
 */
export function parseOptions(args: readonly string[], nowMs: number): Options | 'help' {
  const given = parse(args);
  if (given.help === true) return 'help';
  const days = decimal('days', given.days ?? '30', 36_500);
  return {
    sandboxes: whole('sandboxes', given.sandboxes ?? '200', 1_000_000),
    days,
    rate: rate(given.rate ?? 'max'),
    seed: given.seed ?? '1',
    startMs: given.start === undefined ? midnight(nowMs - days * DAY_MS) : start(given.start),
    url: url(given.url ?? 'http://127.0.0.1:8085'),
    batch: whole('batch', given.batch ?? '500', 50_000),
    connections: whole('connections', given.connections ?? '4', 256),
    wait: given.wait ?? false,
  };
}

const DAY_MS = 86_400_000;

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: false,
      options: {
        sandboxes: { type: 'string' },
        days: { type: 'string' },
        rate: { type: 'string' },
        seed: { type: 'string' },
        start: { type: 'string' },
        url: { type: 'string' },
        batch: { type: 'string' },
        connections: { type: 'string' },
        wait: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function whole(name: string, text: string, most: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 1 && value <= most) return value;
  throw new UsageError(`--${name} must be a whole number from 1 to ${most}, not '${text}'`);
}

function decimal(name: string, text: string, most: number): number {
  const value = /^\d{1,9}(\.\d{1,9})?$/.test(text) ? Number(text) : Number.NaN;
  if (value > 0 && value <= most) return value;
  throw new UsageError(`--${name} must be a number above 0 and up to ${most}, not '${text}'`);
}

function rate(text: string): number | undefined {
  if (text === 'max') return undefined;
  try {
    return decimal('rate', text, 10_000_000);
  } catch {
    throw new UsageError(`--rate must be 'max' or a number of records a second, not '${text}'`);
  }
}

/** Years 1970 to 2200: simulated time is kept in microseconds. */
function start(text: string): number {
  const form = /^([\d-]+)(?:[Tt](\d{2}:\d{2})(:\d{2}(?:\.\d+)?)?([Zz]|[+-]\d{2}:\d{2}))?$/;
  const [, date, time = '00:00', seconds = ':00', offset = 'Z'] = form.exec(text) ?? [];
  // Date.parse alone would take the 30th of February for the 2nd of March.
  const value = Date.parse(parseTime(`${date}T${time}${seconds}${offset}`) ?? '');
  if (value >= 0 && value < Date.UTC(2200, 0, 1)) return value;
  throw new UsageError(
    `--start must be a date or an RFC 3339 time between 1970 and 2199, such as ` +
      `2026-11-01 or 2026-11-01T00:00:00Z, not '${text}'`,
  );
}

function midnight(ms: number): number {
  return Math.floor(ms / DAY_MS) * DAY_MS;
}

function url(text: string): URL {
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  const isBare = parsed?.protocol === 'http:' && parsed.pathname === '/' && parsed.search === '';
  if (parsed !== undefined && isBare && parsed.username === '') return parsed;
  throw new UsageError(
    `--url must be an http address without a path, such as http://127.0.0.1:8085, not '${text}'`,
  );
}
