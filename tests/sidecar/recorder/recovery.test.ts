import { describe, expect, it } from 'vitest';
import type { Outcome } from './support/fake-store.ts';
import { harness, settled } from './support/harness.ts';
import { AUDIT_EVENT, ids, imbalance, rowsOf, SANDBOX_EVENT } from './support/records.ts';
import { settle } from './support/virtual-clock.ts';

/** Answers these outcomes to appends in order, then `ok`. */
function appendsEnd(...outcomes: Outcome[]) {
  return (call: string): Outcome => (call === 'append' ? (outcomes.shift() ?? 'ok') : 'ok');
}

describe('a transient failure', () => {
  it('is retried with the same rows after the store was opened again', async () => {
    const { recorder, store, clock } = harness();
    recorder.start();
    await settle();
    store.calls.length = 0;
    store.answer = appendsEnd('transient', 'transient');
    const end = settled(recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ids('a', 3)), true));
    await settle();
    recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ids('b', 5)), false);
    await clock.advance(1_000);
    expect(await end).toEqual({ stored: 3, duplicates: 0, dropped: [] });
    expect(store.calls).toEqual(['append', 'open', 'append', 'open', 'append', 'append']);
    expect(store.appends).toEqual([3, 3, 3, 5]);
    expect(recorder.failures).toEqual({ transient: 2, unexpected: 0, data: 0 });
    expect(store.violations).toEqual([]);
  });

  it('keeps the bytes of a request until its last record has met its end, and no longer', async () => {
    const { recorder, store, clock } = harness({ schedule: { batchRows: 6 } });
    const large = (all: readonly string[]) => rowsOf(AUDIT_EVENT, all, 20_000);
    const first = large(ids('a', 10));
    const second = large(ids('b', 3).with(1, 'poison'));
    recorder.submit(AUDIT_EVENT, first, false);
    recorder.submit(AUDIT_EVENT, second, false);
    store.answer = appendsEnd('transient', 'ok', 'transient', 'unknown');
    recorder.start();
    for (let step = 0; step < 200 && recorder.queuedBytes > 0; step++) {
      if (!store.stored.has('a-9')) expect(first.bytes.length).toBeGreaterThan(200_000);
      expect(second.bytes.length).toBeGreaterThan(60_000);
      await clock.advance(50);
    }
    expect([...store.stored.keys()].sort()).toEqual([...ids('a', 10), 'b-0', 'b-2'].sort());
    expect(recorder.ledger.dropped.refused).toEqual([1, 0, 0]);
    expect(first.bytes.length + second.bytes.length).toBe(0);
    expect(store.violations).toEqual([]);
  });

  it('waits longer each time, up to a bound, and never gives up', async () => {
    const { recorder, store, clock } = harness({
      random: () => 1,
      schedule: { watchMs: 1e12 },
    });
    store.answer = () => 'transient';
    recorder.start();
    recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ['a']), false);
    await clock.advance(600_000);
    const delays = clock.delays.filter((delay) => delay < 1e12);
    expect(delays.slice(0, 8)).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
    expect(delays.length).toBeGreaterThan(100);
    store.answer = () => 'ok';
    await clock.advance(5_000);
    expect(recorder.ledger.stored).toEqual([1, 0, 0]);
    store.answer = appendsEnd('transient');
    recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ['b']), false);
    await settle();
    expect(clock.delays.at(-1)).toBe(100);
  });

  it('spreads the retries over the whole delay', async () => {
    const { recorder, store, clock } = harness({ random: () => 0.25 });
    store.answer = () => 'transient';
    recorder.start();
    await settle();
    expect(clock.delays).toContain(25);
  });

  it('keeps accepting, and counts as queued what it holds', async () => {
    const { recorder, store, clock } = harness();
    store.answer = () => 'transient';
    recorder.start();
    for (const id of ids('a', 100)) {
      const submitted = recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, [id]), false);
      expect(submitted.outcome).toBe('queued');
      await clock.advance(50);
    }
    expect(recorder.ledger.queued).toEqual([100, 0, 0]);
    expect(imbalance(recorder.ledger)).toBeUndefined();
    store.answer = () => 'ok';
    await clock.advance(10_000);
    expect([...store.stored.keys()]).toEqual(ids('a', 100));
  });

  it('counts rows as duplicates when the failed attempt had reached the disk', async () => {
    const { recorder, store, clock } = harness();
    store.answer = appendsEnd('unknown');
    recorder.start();
    const end = settled(recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ids('a', 3)), true));
    await clock.advance(1_000);
    expect(await end).toEqual({ stored: 0, duplicates: 3, dropped: [] });
    expect(store.stored.size).toBe(3);
  });

  it('includes an unexpected error, of which only the name is told', async () => {
    const { recorder, store, clock, lines } = harness();
    store.answer = appendsEnd('unexpected');
    recorder.start();
    recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ['a']), false);
    await settle();
    expect(recorder.status().reason).toBe('the store failed unexpectedly (TypeError)');
    await clock.advance(1_000);
    expect(recorder.ledger.stored).toEqual([1, 0, 0]);
    expect(recorder.failures.unexpected).toBe(1);
    expect(JSON.stringify(lines)).not.toContain('secret');
  });
});

describe('a data failure', () => {
  it.each([1, 2, 3, 100, 1_000, 10_000])(
    'isolates a poison record among %i in O(log n) attempts',
    async (n) => {
      for (const at of new Set([0, Math.floor(n / 3), n - 1])) {
        const { recorder, store, lines } = harness({ queueBytes: 10_000_000 });
        const all = ids('a', n);
        const poison = `poison-${at}`;
        const end = settled(
          recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, all.with(at, poison)), true),
        );
        recorder.start();
        expect(await end).toEqual({
          stored: n - 1,
          duplicates: 0,
          dropped: [{ index: at, reason: 'refused' }],
        });
        expect(store.appends.length).toBeLessThanOrEqual(2 + 2 * Math.ceil(Math.log2(n)));
        expect([...store.stored.keys()]).toEqual(all.toSpliced(at, 1));
        expect(recorder.ledger.dropped.refused).toEqual([1, 0, 0]);
        const told = lines.filter(({ msg }) => String(msg).includes('refused'));
        expect(told).toHaveLength(1);
        expect(told[0]).toMatchObject({ kind: 'audit_event', reason: 'value refused' });
        expect(JSON.stringify(lines)).not.toContain(poison);
      }
    },
  );

  it('tells each request which of its own records were refused', async () => {
    const { recorder } = harness();
    const submit = (...ids: string[]) =>
      settled(recorder.submit(SANDBOX_EVENT, rowsOf(SANDBOX_EVENT, ids), true));
    const promises = [
      submit('a', 'poison-1', 'b', 'poison-2'),
      submit('c', 'a'),
      submit('poison-3'),
      submit('d'),
    ];
    recorder.start();
    const ends = await Promise.all(promises);
    const refused = (...indexes: number[]) =>
      indexes.map((index) => ({ index, reason: 'refused' }));
    expect(ends).toEqual([
      { stored: 2, duplicates: 0, dropped: refused(1, 3) },
      { stored: 1, duplicates: 1, dropped: [] },
      { stored: 0, duplicates: 0, dropped: refused(0) },
      { stored: 1, duplicates: 0, dropped: [] },
    ]);
    expect(recorder.queuedBytes).toBe(0);
  });

  it('keeps a record that is refused alone while a trial write is refused as well', async () => {
    const { recorder, store, clock } = harness();
    store.poison = () => true;
    store.answer = (call) => (call === 'probe' ? 'transient' : 'ok');
    const end = settled(recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ['a', 'b', 'c']), true));
    recorder.start();
    await clock.advance(60_000);
    expect(recorder.ledger.dropped.refused).toEqual([0, 0, 0]);
    expect(recorder.status()).toMatchObject({
      storage: 'down',
      reason: expect.stringContaining('connection refused'),
    });
    store.poison = (id) => id === 'b';
    store.answer = () => 'ok';
    await clock.advance(60_000);
    expect(await end).toEqual({
      stored: 2,
      duplicates: 0,
      dropped: [{ index: 1, reason: 'refused' }],
    });
    expect(recorder.status().storage).toBe('up');
  });

  it.each([1, 3])(
    'keeps all of %i when what refused them ends before the trial write',
    async (n) => {
      const { recorder, store } = harness();
      recorder.start();
      await settle();
      const all = ids('a', n);
      store.poison = () => true;
      store.answer = (call) => {
        if (call === 'probe') store.poison = () => false;
        return 'ok';
      };
      const end = settled(recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, all), true));
      expect(await end).toEqual({ stored: n, duplicates: 0, dropped: [] });
      expect(recorder.failures.data).toBe(n === 1 ? 1 : 3);
      expect(imbalance(recorder.ledger)).toBeUndefined();
    },
  );

  it('asks for one trial write and two attempts of each record that is refused alone', async () => {
    const { recorder, store } = harness();
    recorder.start();
    await settle();
    store.calls.length = 0;
    const end = settled(recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ids('poison', 2)), true));
    expect((await end).dropped).toHaveLength(2);
    expect(store.appends).toEqual([2, 1, 1, 1, 1]);
    expect(store.calls.filter((call) => call === 'probe')).toHaveLength(2);
  });

  it('goes on isolating after a transient failure, and counts no part twice', async () => {
    const { recorder, store, clock } = harness();
    const all = ids('a', 64).with(40, 'poison');
    const end = settled(recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, all), true));
    let appends = 0;
    store.answer = (call) => (call === 'append' && ++appends % 2 === 0 ? 'transient' : 'ok');
    recorder.start();
    await clock.advance(60_000);
    expect(await end).toEqual({
      stored: 63,
      duplicates: 0,
      dropped: [{ index: 40, reason: 'refused' }],
    });
    expect([...store.stored.keys()]).toEqual(all.toSpliced(40, 1));
    expect(recorder.failures.transient).toBeGreaterThan(3);
    expect(store.appends.filter((rows) => rows === 64)).toHaveLength(1);
  });

  it('drops a whole batch of poison one by one, with one log line', async () => {
    const { recorder, lines } = harness();
    const poison = ids('poison', 50);
    const end = settled(recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, poison), true));
    recorder.start();
    expect((await end).dropped).toHaveLength(50);
    expect(lines.filter(({ msg }) => String(msg).includes('refused'))).toHaveLength(1);
  });
});
