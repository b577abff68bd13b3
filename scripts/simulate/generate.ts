/**
 * The records of a fleet of sandboxes over some days: realistic, seeded, lazily generated. Equal
 * options give equal records, event ids included, so that sending them again stores nothing twice.
 * More days, or more sandboxes, with the same seed add records and change none.
 */

import { mergeByTime } from './merge.ts';
import { DAY, HOUR, MILLISECOND, type Moment } from './moment.ts';
import { Random } from './random.ts';
import type { SimulatedRecord } from './record.ts';
import { sandboxLife } from './sandbox-life.ts';
import { teamLife } from './team-life.ts';
import { TEAMS } from './vocabulary.ts';

const MEAN_UNTIL_FIRST = 2 * HOUR;
const MEAN_UNTIL_SUCCESSOR = 3 * HOUR;

export interface Fleet {
  /** Any text. */
  readonly seed: string;
  /** How many sandboxes there are at a time; each that is deleted has a successor. */
  readonly sandboxes: number;
  readonly days: number;
  /** When it begins, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly startMs: number;
}

/** Yields the records in order of time. Memory grows with the sandboxes, not with the days. */
export function* generateRecords(fleet: Fleet): Generator<SimulatedRecord, void> {
  const start = fleet.startMs * MILLISECOND;
  const end = start + fleet.days * DAY;
  const lives: Iterator<SimulatedRecord>[] = TEAMS.map((team) =>
    teamLife(new Random(`${fleet.seed}/team/${team}`), team, start),
  );
  for (let place = 0; place < fleet.sandboxes; place++) {
    lives.push(sandboxesInTurn(new Random(`${fleet.seed}/place/${place}`), start));
  }
  for (const record of mergeByTime(lives)) {
    if (record.moment >= end) return;
    yield record;
  }
}

/** One sandbox after another, for ever. */
function* sandboxesInTurn(random: Random, start: Moment): Generator<SimulatedRecord, never> {
  let born = start + Math.floor(random.wait(MEAN_UNTIL_FIRST));
  while (true) {
    const sandboxId = `sbx-${hex(random)}${hex(random).slice(0, 4)}`;
    const gone = yield* sandboxLife(random, sandboxId, born);
    born = gone + Math.floor(random.wait(MEAN_UNTIL_SUCCESSOR));
  }
}

function hex(random: Random): string {
  return random.bits().toString(16).padStart(8, '0');
}
