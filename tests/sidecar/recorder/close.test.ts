import { describe, expect, it } from 'vitest';
import { StoreError } from '../../../sidecar/src/stores/store-error.ts';
import { Gate } from './support/fake-store.ts';
import { harness, settled } from './support/harness.ts';
import { AUDIT_EVENT, ids, imbalance, rowsOf } from './support/records.ts';
import { settle } from './support/virtual-clock.ts';

const rows = (...names: string[]) => rowsOf(AUDIT_EVENT, names);

describe('closing', () => {
  it('refuses at once what comes after it, and counts it', async () => {
    const { recorder, store } = harness();
    recorder.start();
    await settle();
    const closed = recorder.close(new AbortController().signal);
    const late = recorder.submit(AUDIT_EVENT, rows('late-1', 'late-2'), true);
    expect(late).toEqual({ outcome: 'closing', retryAfterSeconds: 1 });
    expect(recorder.ledger.rejected.closing).toEqual([2, 0, 0]);
    expect(await closed).toEqual({ records: 0 });
    expect(store.closed).toBe(1);
    expect(recorder.status()).toMatchObject({ storage: 'down', reason: 'storage is closed' });
  });

  it('drains what is queued, in flight and waiting', async () => {
    const { recorder, store } = harness({ schedule: { batchRows: 2 } });
    recorder.start();
    await settle();
    const gate = new Gate();
    store.answer = gate.pass;
    const ends = ids('a', 7).map((id) => settled(recorder.submit(AUDIT_EVENT, rows(id), true)));
    await settle();
    const closed = recorder.close(new AbortController().signal);
    while (gate.waiting > 0) {
      gate.end();
      await settle();
    }
    expect(await closed).toEqual({ records: 0 });
    expect(await Promise.all(ends)).toHaveLength(7);
    expect(store.stored.size).toBe(7);
    expect(store.violations).toEqual([]);
  });

  it('tries again promptly while it drains, instead of sleeping its grace away', async () => {
    const { recorder, store, clock } = harness();
    store.answer = () => 'transient';
    recorder.start();
    recorder.submit(AUDIT_EVENT, rows('a'), false);
    await clock.advance(100_000);
    const before = store.calls.length;
    const closed = recorder.close(new AbortController().signal);
    await clock.advance(2_000);
    expect(store.calls.length - before).toBeGreaterThanOrEqual(8);
    store.answer = () => 'ok';
    await clock.advance(250);
    expect(await closed).toEqual({ records: 0 });
    expect(store.stored.has('a')).toBe(true);
  });

  it('gives up at the signal while the store fails, and counts what is left', async () => {
    const { recorder, store, clock } = harness({ schedule: { batchRows: 2 } });
    store.answer = () => 'transient';
    recorder.start();
    const end = settled(recorder.submit(AUDIT_EVENT, rows('a', 'b', 'c'), true));
    recorder.submit(AUDIT_EVENT, rows('d', 'e'), false);
    await clock.advance(10_000);
    const grace = new AbortController();
    const closed = recorder.close(grace.signal);
    await clock.advance(5_000);
    grace.abort();
    expect(await closed).toEqual({ records: 5 });
    const reason = 'closed';
    expect(await end).toEqual({
      stored: 0,
      duplicates: 0,
      dropped: [0, 1, 2].map((index) => ({ index, reason })),
    });
    expect(recorder.ledger.dropped.closed).toEqual([5, 0, 0]);
    expect(recorder.ledger.queued).toEqual([0, 0, 0]);
    expect(recorder.queuedBytes).toBe(0);
    expect(imbalance(recorder.ledger)).toBeUndefined();
  });

  it.each(['open', 'append', 'probe'] as const)(
    'is not held up by %s when it hangs',
    async (call) => {
      const { recorder, store, clock } = harness();
      const gate = new Gate();
      store.answer = (called) => (called === call ? gate.pass() : 'ok');
      recorder.start();
      await settle();
      const end = settled(recorder.submit(AUDIT_EVENT, rows('a', 'b'), true));
      store.closing = () => new Promise(() => {});
      await settle();
      expect(gate.waiting).toBe(1);
      const grace = new AbortController();
      const closed = recorder.close(grace.signal);
      await settle();
      grace.abort();
      await clock.advance(1_000);
      expect(await closed).toEqual({ records: 2, fault: 'the store does not end' });
      expect((await end).dropped).toHaveLength(2);

      gate.end();
      await settle();
      expect(recorder.ledger.stored).toEqual([0, 0, 0]);
      expect(recorder.state).toBe('closed');
      expect(imbalance(recorder.ledger)).toBeUndefined();
    },
  );

  it('counts as stored what a slow store commits while it closes', async () => {
    const { recorder, store } = harness({ schedule: { batchRows: 1 } });
    recorder.start();
    await settle();
    const gate = new Gate();
    store.answer = gate.pass;
    recorder.submit(AUDIT_EVENT, rows('a'), false);
    recorder.submit(AUDIT_EVENT, rows('b'), false);
    await settle();
    store.closing = async () => {
      gate.end();
      await settle();
    };
    expect(await recorder.close(AbortSignal.abort())).toEqual({ records: 1 });
    expect(recorder.ledger.stored).toEqual([1, 0, 0]);
    expect(recorder.ledger.dropped.closed).toEqual([1, 0, 0]);
    expect(store.violations).toEqual([]);
  });

  it('leaves nothing uncounted in the middle of isolating', async () => {
    const { recorder, store } = harness();
    const end = settled(
      recorder.submit(AUDIT_EVENT, rows(...ids('a', 6), 'poison', ...ids('b', 9)), true),
    );
    const gate = new Gate();
    store.answer = (call) => (call === 'append' ? gate.pass() : 'ok');
    recorder.start();
    await settle();
    for (let i = 0; i < 4; i++) {
      gate.end();
      await settle();
    }
    const { records: left } = await recorder.close(AbortSignal.abort());
    const { stored, dropped } = await end;
    expect(left).toBeGreaterThan(0);
    expect(stored).toBe(store.stored.size);
    expect(dropped.map(({ index }) => index)).toEqual(
      Array.from({ length: left }, (_, i) => 16 - left + i),
    );
    expect(imbalance(recorder.ledger)).toBeUndefined();
  });

  it('does not open a store for which there is nothing to write', async () => {
    const { recorder, store, clock } = harness();
    store.answer = () => 'transient';
    recorder.start();
    await clock.advance(10_000);
    const before = store.calls.length;
    expect(await recorder.close(new AbortController().signal)).toEqual({ records: 0 });
    expect(store.calls.length).toBe(before);
  });

  it('works on a recorder that was never started', async () => {
    const { recorder, store } = harness();
    const end = settled(recorder.submit(AUDIT_EVENT, rows('a'), true));
    expect(await recorder.close(new AbortController().signal)).toEqual({ records: 1 });
    expect((await end).dropped).toEqual([{ index: 0, reason: 'closed' }]);
    recorder.start();
    await settle();
    expect(store.calls).toEqual([]);
  });

  it('may be asked for twice, and closes once', async () => {
    const { recorder, store } = harness();
    recorder.start();
    const first = recorder.close(new AbortController().signal);
    expect(recorder.close(AbortSignal.abort())).toBe(first);
    await first;
    expect(store.closed).toBe(1);
  });

  it('survives a store that fails to close, and says so', async () => {
    const { recorder, store } = harness();
    recorder.start();
    store.closing = async () => {
      throw new StoreError('file is gone');
    };
    const left = await recorder.close(new AbortController().signal);
    expect(left).toEqual({ records: 0, fault: 'file is gone' });
  });
});
