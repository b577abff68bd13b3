import { DAY, HOUR, MILLISECOND, MINUTE, type Moment, SECOND } from './moment.ts';
import type { Random } from './random.ts';
import { auditEvent, costSnapshot, type SimulatedRecord, sandboxEvent } from './record.ts';
import {
  COMMANDS,
  CPU_HOUR_USD,
  emailOf,
  FAILURES,
  GB_HOUR_USD,
  GIVEN_NAMES,
  PATCHES,
  SYSTEM_ACTOR,
  TEAMS,
  TEMPLATES,
} from './vocabulary.ts';

const SNAPSHOT_EVERY = 15 * MINUTE;

const MEAN_LIFE = 5 * DAY;
const MEAN_SESSION = 6 * HOUR;
const MEAN_PAUSE = 10 * HOUR;
const MEAN_BETWEEN_ACTIVITIES = 25 * MINUTE;

/**
 * One sandbox from its creation to its deletion, in order of time: created, Creating, Running;
 * then sessions in which it is used and its cost is noted each quarter of an hour, with pauses
 * between them; at last deleted.
 *
 * @returns when it was gone
 */
export function* sandboxLife(
  random: Random,
  sandboxId: string,
  born: Moment,
): Generator<SimulatedRecord, Moment> {
  const sandbox = new Sandbox(random, sandboxId);
  const dies = born + HOUR + Math.floor(random.wait(MEAN_LIFE));
  const bulk = random.chance(0.1);
  const { template } = sandbox;
  yield sandbox.audit(
    born,
    bulk ? 'bulk.create' : 'create',
    `template=${template.name} cpu=${template.cpus} memory=${template.memoryGb}Gi`,
  );
  let now = born + short(random);
  yield sandbox.event(now, 'Creating');
  now += SECOND + Math.floor(random.wait(8 * SECOND));
  yield sandbox.event(now, 'Running', 'Running', 'all containers are ready');

  while (true) {
    const sessionEnd = Math.min(dies, now + 5 * MINUTE + Math.floor(random.wait(MEAN_SESSION)));
    now = yield* session(random, sandbox, now, sessionEnd);
    if (now >= dies) break;
    now = yield* pause(random, sandbox, now);
    if (now >= dies) break;
    yield sandbox.audit(now, 'resume');
    now += SECOND + short(random);
    yield sandbox.event(now, 'Running', 'Running', 'resumed');
  }

  yield sandbox.audit(now, 'delete', random.chance(0.2) ? 'nicht mehr nötig' : undefined);
  now += short(random);
  yield sandbox.event(now, 'Deleting');
  return now;
}

/** A running sandbox: activities at random, snapshots at the quarters of an hour. */
function* session(
  random: Random,
  sandbox: Sandbox,
  start: Moment,
  end: Moment,
): Generator<SimulatedRecord, Moment> {
  let now = start;
  let noted = start;
  let snapshot = nextSnapshot(start);
  let activity = start + Math.floor(random.wait(MEAN_BETWEEN_ACTIVITIES));
  while (true) {
    if (snapshot <= activity && snapshot < end) {
      // An activity may have lasted past the tick; the snapshot of that tick is then skipped.
      if (snapshot >= now) {
        now = snapshot;
        yield sandbox.cost(now, now - noted);
        noted = now;
      }
      snapshot = nextSnapshot(snapshot);
    } else if (activity < end) {
      now = yield* act(random, sandbox, Math.max(now, activity));
      activity = now + 1 + Math.floor(random.wait(MEAN_BETWEEN_ACTIVITIES));
    } else {
      return Math.max(now, end);
    }
  }
}

/** One thing that someone does with a running sandbox, or that befalls it. */
function* act(random: Random, sandbox: Sandbox, start: Moment): Generator<SimulatedRecord, Moment> {
  let now = start;
  const dice = random.fraction();
  if (dice < 0.7) {
    yield sandbox.audit(now, 'exec', random.pick(COMMANDS));
  } else if (dice < 0.78) {
    yield sandbox.audit(now, 'patch', random.pick(PATCHES));
  } else if (dice < 0.84) {
    const friend = emailOf(random.pick(GIVEN_NAMES), sandbox.namespace);
    yield sandbox.audit(now, 'share', `with=${friend} role=${random.pick(['viewer', 'editor'])}`);
  } else if (dice < 0.88) {
    yield sandbox.audit(now, 'clone', `to=${sandbox.name}-copy-${random.below(100)}`);
  } else if (dice < 0.93) {
    const failed = random.chance(0.1);
    const message = failed ? 'Speicherplatz erschöpft: 0 B frei' : `snapshot of ${sandbox.name}`;
    yield sandbox.event(now, 'Running', failed ? 'SnapshotFailed' : 'Snapshotted', message);
  } else if (dice < 0.97) {
    const oldest = sandbox.backups[0];
    if (oldest === undefined || random.chance(0.6)) {
      const backup = `bkp-${random.bits().toString(36)}`;
      sandbox.backups.push(backup);
      yield sandbox.audit(now, 'backup.create', `backup=${backup}`);
      now += SECOND + short(random);
      yield sandbox.event(now, 'Running', 'BackupCreated', backup);
    } else if (random.chance(0.5)) {
      yield sandbox.audit(now, 'backup.restore', `backup=${oldest}`);
    } else {
      sandbox.backups.shift();
      yield sandbox.audit(now, 'backup.delete', `backup=${oldest}`);
    }
  } else {
    yield sandbox.event(now, 'Error', 'ApplicationError', random.pick(FAILURES));
    now += SECOND + short(random);
    yield sandbox.event(now, 'Creating', 'Restarting', `attempt 1 of 5`);
    now += 2 * SECOND + Math.floor(random.wait(5 * SECOND));
    yield sandbox.event(now, 'Running', 'AutoRestarted', 'restarted after a failure');
  }
  return now;
}

/** Stopped, by its owner, by the team's evening sweep or for idling; no cost meanwhile. */
function* pause(
  random: Random,
  sandbox: Sandbox,
  start: Moment,
): Generator<SimulatedRecord, Moment> {
  const dice = random.fraction();
  if (dice < 0.5) yield sandbox.audit(start, 'stop');
  else if (dice < 0.7) yield sandbox.audit(start, 'bulk.stop', 'Feierabend 🌙');
  else yield sandbox.audit(start, 'stop', 'idle for 30m', SYSTEM_ACTOR);
  const stopped = start + SECOND + short(random);
  yield sandbox.event(stopped, 'Stopped', 'Stopped');
  return stopped + MINUTE + Math.floor(random.wait(MEAN_PAUSE));
}

/** What all records of one sandbox have in common, and the backups that were made of it. */
class Sandbox {
  readonly template;
  readonly namespace: string;
  readonly name: string;
  /** Those that exist, oldest first. */
  readonly backups: string[] = [];
  readonly #owner: string;
  readonly #id: string;
  readonly #random: Random;

  constructor(random: Random, id: string) {
    this.#random = random;
    this.#id = id;
    this.template = random.pick(TEMPLATES);
    this.namespace = random.pick(TEAMS);
    const owner = random.pick(GIVEN_NAMES);
    this.#owner = emailOf(owner, this.namespace);
    this.name = `${owner}-${this.template.name}-${1 + random.below(99)}`;
  }

  audit(now: Moment, action: string, details?: string, actor = this.#owner): SimulatedRecord {
    const event = { actor, action, resource: 'sandbox', sandboxId: this.#id };
    return auditEvent(
      this.#random,
      now,
      details === undefined ? event : Object.assign(event, { details }),
    );
  }

  event(now: Moment, phase: string, reason?: string, message?: string): SimulatedRecord {
    return sandboxEvent(this.#random, now, {
      sandboxId: this.#id,
      name: this.name,
      namespace: this.namespace,
      phase,
      ...(reason === undefined ? {} : { reason }),
      ...(message === undefined ? {} : { message }),
    });
  }

  /** @param elapsed since the last snapshot, in microseconds */
  cost(now: Moment, elapsed: number): SimulatedRecord {
    const hours = elapsed / HOUR;
    const cpuHours = this.template.cpus * hours * (0.05 + 0.9 * this.#random.fraction());
    const memoryGbHours = this.template.memoryGb * hours;
    return costSnapshot(this.#random, now, {
      sandboxId: this.#id,
      namespace: this.namespace,
      cpuHours,
      memoryGbHours,
      usd: cpuHours * CPU_HOUR_USD + memoryGbHours * GB_HOUR_USD,
    });
  }
}

/**
 * The next quarter of an hour. The Router notes all running sandboxes by one clock, a little late
 * and each time a little differently; all snapshots of one tick share their time.
 */
function nextSnapshot(after: Moment): Moment {
  const lateness = (tick: number) => ((tick % 1_000) * 7_919) % (20 * MILLISECOND);
  let tick = Math.floor(after / SNAPSHOT_EVERY);
  while (tick * SNAPSHOT_EVERY + lateness(tick) <= after) tick += 1;
  return tick * SNAPSHOT_EVERY + lateness(tick);
}

/** Between one and 250 milliseconds, in microseconds: what one step of the controller takes. */
function short(random: Random): number {
  return MILLISECOND + random.below(249 * MILLISECOND);
}
