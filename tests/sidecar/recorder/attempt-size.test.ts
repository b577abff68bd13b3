import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { harness, settled } from './support/harness.ts';
import { AUDIT_EVENT, ids, imbalance, rowsOf } from './support/records.ts';

const MANY = { queueBytes: 100_000_000 };

/** The rows of each append, by how it ended. */
function split(appends: readonly number[], most: number) {
  return {
    failed: appends.filter((rows) => rows > most),
    went: appends.filter((rows) => rows <= most),
  };
}

describe('a batch that the store takes in parts only', () => {
  it('is stored in smaller parts, in order, with the first half next', async () => {
    const { recorder, store, clock } = harness(MANY);
    store.limit = { rows: 3_000, told: true };
    const all = ids('a', 10_000);
    const end = settled(recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, all), true));
    recorder.start();
    await clock.advance(60_000);
    expect(await end).toEqual({ stored: 10_000, duplicates: 0, dropped: [] });
    expect([...store.stored.keys()]).toEqual(all);
    expect(store.appends.slice(0, 4)).toEqual([10_000, 5_000, 2_500, 2_500]);
    expect(recorder.failures.data).toBe(0);
    expect(recorder.status().storage).toBe('up');
    expect(store.violations).toEqual([]);
  });

  it('is stored after few failures: a logarithm, and some percent of the attempts while it stays so', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4_000 }),
        fc.integer({ min: 1, max: 200 }),
        fc.boolean(),
        async (count, rows, told) => {
          const { recorder, store, clock } = harness(MANY);
          store.limit = { rows, told };
          const all = ids('a', count);
          recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, all), false);
          recorder.start();
          await clock.advance(3_600_000);
          expect([...store.stored.keys()]).toEqual(all);
          expect(imbalance(recorder.ledger)).toBeUndefined();
          const { failed, went } = split(store.appends, rows);
          // Down to a size that goes; up and down again ever more seldom, at last one in 64.
          const log = (n: number) => Math.ceil(Math.log2(n + 1));
          const each = told ? 1 : 3;
          const descent = log(count / rows) + each;
          const growths = log(Math.min(went.length, 64)) + went.length / 32 + 2;
          expect(failed.length).toBeLessThanOrEqual(descent + each * growths);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is told by its bytes as well', async () => {
    const { recorder, store, clock } = harness(MANY);
    store.limit = { bytes: 100_000, told: true };
    const long = ids('long', 40);
    const short = ids('short', 2_000);
    recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, long, 20_000), false);
    recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, short), false);
    recorder.start();
    await clock.advance(60_000);
    expect([...store.stored.keys()]).toEqual([...long, ...short]);
    // Those with little to them go many at once.
    expect(store.appends.filter((rows) => rows > 100).length).toBeGreaterThan(1);
  });

  it('is cut, too, where the store says no more than that the connection was lost', async () => {
    const { recorder, store, clock } = harness(MANY);
    store.limit = { rows: 50, told: false };
    const all = ids('a', 100);
    recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, all), false);
    recorder.start();
    await clock.advance(60_000);
    expect(store.appends).toEqual([100, 100, 100, 50, 50]);
    expect([...store.stored.keys()]).toEqual(all);
  });

  it('gives up no record of it, and drops the one that is refused', async () => {
    const { recorder, store, clock } = harness(MANY);
    store.limit = { rows: 7, told: true };
    const all = ids('a', 300).with(123, 'poison');
    const end = settled(recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, all), true));
    recorder.start();
    await clock.advance(600_000);
    expect(await end).toEqual({
      stored: 299,
      duplicates: 0,
      dropped: [{ index: 123, reason: 'refused' }],
    });
    expect([...store.stored.keys()]).toEqual(all.toSpliced(123, 1));
  });

  it('keeps one row for ever that the store does not take alone either', async () => {
    const { recorder, store, clock } = harness(MANY);
    store.limit = { rows: 0, told: true };
    recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ids('a', 20)), false);
    recorder.start();
    await clock.advance(3_600_000);
    expect(store.appends.slice(0, 6)).toEqual([20, 10, 5, 2, 1, 1]);
    expect(store.appends.length).toBeGreaterThan(100);
    expect(recorder.ledger.queued).toEqual([20, 0, 0]);
    store.limit = undefined;
    await clock.advance(10_000);
    expect(recorder.ledger.stored).toEqual([20, 0, 0]);
  });
});

describe('the size of attempts', () => {
  it('does not change for a lost connection, nor for two', async () => {
    const { recorder, store, clock } = harness(MANY);
    const all = ids('a', 5_000);
    const outcomes = ['transient', 'unexpected'] as const;
    let appends = 0;
    store.answer = (call) => (call === 'append' ? (outcomes[appends++] ?? 'ok') : 'ok');
    recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, all), false);
    recorder.start();
    await clock.advance(10_000);
    expect(store.appends).toEqual([5_000, 5_000, 5_000]);
  });

  it('is that of before a few commits after a long outage', async () => {
    const { recorder, store, clock } = harness(MANY);
    store.answer = (call) => (call === 'append' ? 'too_large' : 'ok');
    recorder.start();
    for (let i = 0; i < 40; i++) {
      recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ids(`a${i}`, 2_500)), false);
    }
    await clock.advance(600_000);
    expect(store.appends.at(-1)).toBe(1);
    store.answer = () => 'ok';
    const before = store.appends.length;
    await clock.advance(10_000);
    expect(recorder.ledger.stored).toEqual([100_000, 0, 0]);
    // Doubling to 10,000 rows, of batches that do not end where an attempt would.
    expect(store.appends.length - before).toBeLessThan(3 * Math.log2(10_000));
    expect(Math.max(...store.appends.slice(before))).toBe(10_000);
  });

  it('is seldom tried beyond what goes while the store stays slow', async () => {
    const { recorder, store, clock } = harness(MANY);
    store.limit = { rows: 40, told: true };
    for (let i = 0; i < 20; i++) {
      recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ids(`a${i}`, 2_000)), false);
    }
    recorder.start();
    await clock.advance(3_600_000);
    expect(recorder.ledger.stored).toEqual([40_000, 0, 0]);
    const { failed, went } = split(store.appends, 40);
    expect(went.length).toBeLessThan(40_000 / 20 + 50);
    expect(failed.length).toBeLessThan(went.length / 20);
    store.limit = undefined;
    const before = store.appends.length;
    for (let i = 0; i < 20; i++) {
      recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ids(`b${i}`, 2_000)), false);
    }
    await clock.advance(60_000);
    expect(Math.max(...store.appends.slice(before))).toBe(10_000);
  });
});
