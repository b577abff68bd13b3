import { setTimeout as sleep } from 'node:timers/promises';
import { KINDS, type Kind } from '../../sidecar/src/records/kinds.ts';
import { generateRecords } from './generate.ts';
import { DAY, MILLISECOND } from './moment.ts';
import type { Options } from './options.ts';
import { Poster } from './poster.ts';
import { Progress, type Screen } from './progress.ts';
import { Tally } from './tally.ts';

/** At a given rate requests go out at least this often, rather than in rare large batches. */
const REQUESTS_A_SECOND = 10;

export interface Driven {
  readonly tally: Tally;
  /** Requests sent again since the sidecar had no room, and since a connection failed. */
  readonly busy: number;
  readonly reconnected: number;
  readonly seconds: number;
}

/**
 * Generates a fleet's records and posts them in batches of one kind, in order of time.
 *
 * @throws UnreachableError when no sidecar answers, or it goes away for good
 */
export async function drive(options: Options, screen: Screen): Promise<Driven> {
  const poster = new Poster(options);
  try {
    await poster.greet();
    const started = performance.now();
    const tally = new Tally();
    const progress = new Progress(screen);
    const lanes = new Lanes(options.connections);
    const batches = KINDS.map(() => new Batch());
    const batchSize = batchSizeOf(options);
    const span = options.days * DAY;
    const startMoment = options.startMs * MILLISECOND;

    const flush = async (kind: Kind, reached: number) => {
      const batch = batches[kind.index]!;
      if (batch.count === 0) return;
      const { body, count } = batch.take();
      await keepToRate(options.rate, tally.total.sent, started);
      await lanes.run(async () => {
        tally.sent(kind, count);
        tally.answered(kind, await poster.post(kind, body, count));
        progress.show(reached, tally.total.acknowledged);
      });
    };

    for (const record of generateRecords(options)) {
      const batch = batches[record.kind.index]!;
      batch.add(record.fields);
      if (batch.count >= batchSize || batch.isFull) {
        await flush(record.kind, (record.moment - startMoment) / span);
      }
    }
    for (const kind of KINDS) await flush(kind, 1);
    await lanes.drain();
    progress.show(1, tally.total.acknowledged);
    progress.end();
    const seconds = (performance.now() - started) / 1_000;
    return { tally, busy: poster.busy, reconnected: poster.reconnected, seconds };
  } finally {
    poster.close();
  }
}

function batchSizeOf({ rate, batch }: Options): number {
  if (rate === undefined) return batch;
  return Math.max(1, Math.min(batch, Math.floor(rate / REQUESTS_A_SECOND)));
}

/** Waits until this many records are due. */
async function keepToRate(rate: number | undefined, sent: number, started: number): Promise<void> {
  if (rate === undefined) return;
  const early = started + (sent / rate) * 1_000 - performance.now();
  if (early > 0) await sleep(early);
}

/** The API takes 8 MiB; what is made here is ASCII, and no record of it has a KiB. */
const MOST_CHARACTERS = 8_000_000;

/** Records of one kind, as the text of a JSON array. */
class Batch {
  count = 0;
  #text = '';

  /** Whether a further record might make it more than the API takes. */
  get isFull(): boolean {
    return this.#text.length >= MOST_CHARACTERS;
  }

  add(fields: unknown): void {
    this.#text += `${this.count === 0 ? '[' : ','}${JSON.stringify(fields)}`;
    this.count += 1;
  }

  take(): { body: string; count: number } {
    const taken = { body: `${this.#text}]`, count: this.count };
    this.#text = '';
    this.count = 0;
    return taken;
  }
}

/** Lets a bounded number of jobs run at a time; the first failure of one surfaces in the next call. */
class Lanes {
  readonly #width: number;
  readonly #running = new Set<Promise<void>>();
  #failure: { error: unknown } | undefined;

  constructor(width: number) {
    this.#width = width;
  }

  /** Resolves when the job has a lane, not when it is done. */
  async run(job: () => Promise<void>): Promise<void> {
    while (this.#running.size >= this.#width) await Promise.race(this.#running);
    this.#check();
    const running = job()
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async drain(): Promise<void> {
    await Promise.all(this.#running);
    this.#check();
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
