import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Clock } from '../../../sidecar/src/recorder/clock.ts';
import { Recorder } from '../../../sidecar/src/recorder/recorder.ts';
import type { Left, Settled } from '../../../sidecar/src/recorder/submission.ts';
import { KINDS } from '../../../sidecar/src/records/kinds.ts';
import { FakeStore, type Limit, type Outcome, type Shut } from './support/fake-store.ts';
import { keptLog } from './support/harness.ts';
import { imbalance, rowsOf, total } from './support/records.ts';
import { settle } from './support/virtual-clock.ts';

/** One request: `records` names each by what it is. */
interface Request {
  readonly kind: number;
  readonly records: readonly ('fresh' | 'poison' | 'repeated')[];
  readonly wait: boolean;
  readonly invalid: number;
}

const request: fc.Arbitrary<Request> = fc.record({
  kind: fc.nat(KINDS.length - 1),
  records: fc.array(
    fc.oneof(
      { weight: 12, arbitrary: fc.constant('fresh' as const) },
      { weight: 1, arbitrary: fc.constant('poison' as const) },
      { weight: 1, arbitrary: fc.constant('repeated' as const) },
    ),
    { maxLength: 12 },
  ),
  wait: fc.boolean(),
  invalid: fc.nat(2),
});

const outcome: fc.Arbitrary<Outcome> = fc.constantFrom(
  'ok',
  'ok',
  'transient',
  'too_large',
  'unexpected',
  'unknown',
);

/** Of most runs there is none; one row is always taken, as a store that takes none is down. */
const limit: fc.Arbitrary<Limit | undefined> = fc.option(
  fc.record({ rows: fc.integer({ min: 1, max: 6 }), told: fc.boolean() }),
  { nil: undefined },
);

/** What befalls all records at some moment, and ends at another, says nothing of any of them. */
const shut: fc.Arbitrary<Shut | undefined> = fc.option(
  fc.record({ from: fc.nat(30), calls: fc.integer({ min: 1, max: 20 }) }),
  { nil: undefined },
);

/** What the store does of itself. */
const nature = fc.record({ outcomes: fc.array(outcome, { maxLength: 25 }), limit, shut });
type Nature = typeof nature extends fc.Arbitrary<infer T> ? T : never;

/** Time that passes when the schedule has a sleeper's turn come. */
function scheduledClock(scheduler: fc.Scheduler): Clock {
  let now = 0;
  return {
    now: () => now,
    sleep(milliseconds, signal) {
      const at = now + milliseconds;
      const elapsed = scheduler.schedule(Promise.resolve(), `sleep ${milliseconds}`).then(() => {
        if (!signal.aborted) now = Math.max(now, at);
      });
      const aborted = new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      return Promise.race([elapsed, aborted]);
    },
    endOfTurn: () => scheduler.schedule(Promise.resolve(), 'end of turn'),
  };
}

const BATCH_ROWS = 7;
const QUEUE_BYTES = 1_500;
/** More turns than any schedule here needs to come to its end. */
const MAX_TURNS = 3_000;

/** What came of a whole run. */
interface Run {
  readonly requests: {
    readonly kind: number;
    readonly ids: readonly string[];
    readonly settled: Settled | undefined;
  }[];
  readonly recorder: Recorder;
  readonly store: FakeStore;
  readonly left: number;
}

/**
 * Lets requests, answers of the store, the ends of pauses and close happen in the order that the
 * scheduler draws, and checks after each what must hold at every moment.
 */
async function run(
  scheduler: fc.Scheduler,
  requests: readonly Request[],
  { outcomes, limit, shut }: Nature,
  closing: { readonly early: boolean; readonly abort: boolean },
): Promise<Run> {
  const store = new FakeStore();
  store.limit = limit;
  store.shut = shut;
  const left = [...outcomes];
  store.answer = async (call) => {
    await scheduler.schedule(Promise.resolve(), call);
    return left.shift() ?? 'ok';
  };
  store.closing = () => scheduler.schedule(Promise.resolve(), 'close of the store');
  const recorder = new Recorder({
    store,
    queueBytes: QUEUE_BYTES,
    log: keptLog().log,
    clock: scheduledClock(scheduler),
    random: () => 0.5,
    schedule: { batchRows: BATCH_ROWS, batchBytes: 700 },
  });

  const taken: { kind: number; ids: string[]; settled: Settled | undefined }[] = [];
  const fresh: string[] = [];
  let serial = 0;
  const arrive = (asked: Request) => {
    const kind = KINDS[asked.kind] ?? KINDS[0]!;
    const names = asked.records.map((what) => {
      if (what === 'poison') return `poison-${serial++}`;
      const name = what === 'repeated' ? fresh[serial % fresh.length] : undefined;
      if (name !== undefined) return name;
      fresh.push(`${serial}`);
      return `${serial++}`;
    });
    const before = recorder.queuedBytes;
    const rows = rowsOf(kind, names);
    recorder.refuse(kind, asked.invalid);
    const submitted = recorder.submit(kind, rows, asked.wait);
    if (submitted.outcome !== 'queued') {
      expect(recorder.queuedBytes).toBe(before);
      return;
    }
    expect(recorder.queuedBytes).toBe(before + rows.bytes.length);
    const entry = { kind: asked.kind, ids: names, settled: undefined as Settled | undefined };
    taken.push(entry);
    void submitted.settled?.then((settled) => {
      expect(entry.settled).toBeUndefined();
      entry.settled = settled;
    });
    expect(submitted.settled !== undefined).toBe(asked.wait);
  };

  let closed: Promise<Left> | undefined;
  let result: number | undefined;
  const abort = new AbortController();
  const close = () => {
    closed ??= recorder.close(abort.signal);
    void closed.then(({ records }) => {
      result = records;
    });
  };
  recorder.start();
  for (const [i, asked] of requests.entries()) {
    void scheduler.schedule(Promise.resolve(), `request ${i}`).then(() => arrive(asked));
  }
  if (closing.early) void scheduler.schedule(Promise.resolve(), 'close').then(close);
  if (closing.abort) {
    void scheduler.schedule(Promise.resolve(), 'abort').then(() => {
      if (closing.early) abort.abort();
    });
  }

  for (let turn = 0; result === undefined; turn++) {
    expect(turn).toBeLessThan(MAX_TURNS);
    await scheduler.waitNext(1);
    await settle();
    expect(imbalance(recorder.ledger)).toBeUndefined();
    expect(store.violations).toEqual([]);
    expect(recorder.queuedBytes).toBeLessThanOrEqual(QUEUE_BYTES);
    expect(recorder.queuedBytes === 0).toBe(recorder.ledger.queuedRecords === 0);
    if (closed === undefined && turn > requests.length && recorder.state === 'idle') {
      if (total(recorder.ledger.received) > 0) expect(recorder.ledger.queuedRecords).toBe(0);
      if (!closing.early) close();
    }
  }
  // What is still to come (answers to a call that was given up, late requests) must change nothing
  // but the count of the refused.
  const stored = total(recorder.ledger.stored);
  while (scheduler.count() > 0) await scheduler.waitNext(1);
  await settle();
  expect(imbalance(recorder.ledger)).toBeUndefined();
  expect(total(recorder.ledger.stored)).toBe(stored);
  return { requests: taken, recorder, store, left: result };
}

const closings = fc.record({ early: fc.boolean(), abort: fc.boolean() });

describe('under any interleaving of arrivals, answers, pauses and close', () => {
  it('accounts for every record, once', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(request, { minLength: 1, maxLength: 10 }),
        nature,
        closings,
        async (scheduler, asked, given, closing) => {
          const { requests, recorder, store, left } = await run(scheduler, asked, given, closing);
          const { ledger } = recorder;
          expect(ledger.queuedRecords).toBe(0);
          expect(total(ledger.dropped.closed)).toBe(left);
          if (!closing.early || !closing.abort) expect(left).toBe(0);

          const all = requests.flatMap(({ ids }) => ids);
          const good = new Set(all.filter((id) => !id.startsWith('poison')));
          const poison = all.length - all.filter((id) => good.has(id)).length;
          for (const id of store.stored.keys()) expect(good).toContain(id);
          if (left === 0) {
            expect(store.stored.size).toBe(good.size);
            expect(total(ledger.dropped.refused)).toBe(poison);
          }
          // A retry of rows that had been stored finds duplicates, so never more than once.
          expect(total(ledger.stored)).toBeLessThanOrEqual(store.stored.size);
          if (!given.outcomes.includes('unknown') && left === 0) {
            expect(total(ledger.stored)).toBe(store.stored.size);
          }
          for (const rows of store.appends) expect(rows).toBeLessThanOrEqual(BATCH_ROWS);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('tells every waiting request the end of each of its records', {
    timeout: 60_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(
          request.map((asked) => ({ ...asked, wait: true })),
          { minLength: 1, maxLength: 10 },
        ),
        nature,
        closings,
        async (scheduler, asked, given, closing) => {
          const { requests, store, recorder } = await run(scheduler, asked, given, closing);
          const told = { stored: 0, duplicates: 0 };
          for (const { ids, settled } of requests) {
            expect(settled).toBeDefined();
            if (settled === undefined) continue;
            const { stored, duplicates, dropped } = settled;
            expect(stored + duplicates + dropped.length).toBe(ids.length);
            const lost = new Map(dropped.map(({ index, reason }) => [index, reason]));
            for (const [index, id] of ids.entries()) {
              // Acknowledged is stored; refused is poison and nothing else.
              if (!lost.has(index)) expect(store.stored.has(id)).toBe(true);
              if (lost.get(index) === 'refused') expect(id).toMatch(/^poison/);
            }
            told.stored += stored;
            told.duplicates += duplicates;
          }
          expect(told.stored).toBe(total(recorder.ledger.stored));
          expect(told.duplicates).toBe(total(recorder.ledger.duplicate));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('stores in the order of arrival', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(request, { minLength: 1, maxLength: 10 }),
        nature,
        closings,
        async (scheduler, asked, given, closing) => {
          const { requests, store } = await run(scheduler, asked, given, closing);
          const arrived = new Set(requests.flatMap(({ ids }) => ids));
          const expected = [...arrived].filter((id) => store.stored.has(id));
          expect([...store.stored.keys()]).toEqual(expected);
        },
      ),
      { numRuns: 200 },
    );
  });
});
