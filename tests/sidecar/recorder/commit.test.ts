import { describe, expect, it } from 'vitest';
import { noopStore } from '../../../sidecar/src/stores/noop.ts';
import { Gate } from './support/fake-store.ts';
import { harness, settled } from './support/harness.ts';
import {
  AUDIT_EVENT,
  COST_SNAPSHOT,
  ids,
  imbalance,
  rowsOf,
  SANDBOX_EVENT,
  total,
} from './support/records.ts';
import { settle } from './support/virtual-clock.ts';

describe('group commit', () => {
  it('commits one record alone in the turn of its arrival, without a timer', async () => {
    const { recorder, store, clock } = harness();
    recorder.start();
    await settle();
    clock.delays.length = 0;
    recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ['a']), false);
    for (let i = 0; i < 10; i++) await Promise.resolve();
    expect(store.appends).toEqual([1]);
    expect(clock.delays).toEqual([]);
  });

  it('gathers what arrives during a commit into the next one', async () => {
    const { recorder, store } = harness();
    recorder.start();
    await settle();
    const gate = new Gate();
    store.answer = gate.pass;
    recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ['a']), false);
    await settle();
    for (const id of ids('b', 500)) {
      recorder.submit(SANDBOX_EVENT, rowsOf(SANDBOX_EVENT, [id]), false);
    }
    await settle();
    expect(store.appends).toEqual([1]);
    expect(recorder.ledger.queued).toEqual([1, 500, 0]);
    gate.end();
    await settle();
    expect(store.appends).toEqual([1, 500]);
    gate.end();
    await settle();
    expect(recorder.ledger.stored).toEqual([1, 500, 0]);
    expect(recorder.queuedBytes).toBe(0);
    expect([...store.stored.keys()]).toEqual(['a', ...ids('b', 500)]);
  });

  it('has the store at work again before it answers the requests of the last commit', async () => {
    const { recorder, store } = harness();
    recorder.start();
    await settle();
    const gate = new Gate();
    store.answer = gate.pass;
    const first = settled(recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ['a']), true));
    const appendsAtAnswer = first.then(() => [...store.appends]);
    await settle();
    recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ids('b', 3)), false);
    gate.end();
    expect(await appendsAtAnswer).toEqual([1, 3]);
    gate.end();
  });

  it('keeps a request whole where it fits a commit, and splits one that exceeds the cap', async () => {
    const { recorder, store } = harness({ schedule: { batchRows: 10 } });
    const promises = [6, 6, 25, 3].map((count, i) =>
      settled(recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ids(`r${i}`, count)), true)),
    );
    recorder.start();
    const ends = await Promise.all(promises);
    expect(store.appends).toEqual([6, 6, 10, 10, 8]);
    expect(ends.map((end) => end.stored)).toEqual([6, 6, 25, 3]);
  });

  it('caps a commit in bytes, but takes a larger record alone', async () => {
    const small = rowsOf(AUDIT_EVENT, ['a']).bytes.length;
    const { recorder, store } = harness({ schedule: { batchBytes: small * 4 } });
    recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ids('a', 3)), false);
    recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ['big-1', 'big-2'], small * 9), false);
    recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ['c']), false);
    recorder.start();
    await settle();
    expect(store.appends).toEqual([3, 1, 1, 1]);
  });

  it('settles a request that spans commits only with its last part', async () => {
    const { recorder, store } = harness({ schedule: { batchRows: 2 } });
    recorder.start();
    await settle();
    const gate = new Gate();
    store.answer = gate.pass;
    let ended = false;
    const rows = rowsOf(AUDIT_EVENT, ids('a', 5));
    const end = settled(recorder.submit(AUDIT_EVENT, rows, true));
    void end.then(() => {
      ended = true;
    });
    for (let part = 0; part < 3; part++) {
      await settle();
      expect(ended).toBe(false);
      expect(recorder.queuedBytes).toBe(rows.bytes.length);
      gate.end();
    }
    expect(await end).toEqual({ stored: 5, duplicates: 0, dropped: [] });
    expect(recorder.queuedBytes).toBe(0);
  });

  it('tells each request its own duplicates', async () => {
    const { recorder } = harness();
    const submit = (...ids: string[]) =>
      settled(recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ids), true));
    const promises = [submit('a', 'b'), submit('b', 'c', 'a'), submit('d'), submit('d', 'd', 'e')];
    recorder.start();
    const ends = await Promise.all(promises);
    expect(ends.map(({ stored, duplicates }) => [stored, duplicates])).toEqual([
      [2, 0],
      [1, 2],
      [1, 0],
      [1, 2],
    ]);
    expect(recorder.ledger.stored).toEqual([5, 0, 0]);
    expect(recorder.ledger.duplicate).toEqual([4, 0, 0]);
  });

  it('measures duration and size of each commit', async () => {
    const { recorder, store, clock } = harness();
    recorder.start();
    await settle();
    const gate = new Gate();
    store.answer = gate.pass;
    recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ids('a', 7)), false);
    await clock.advance(300);
    gate.end();
    await settle();
    expect(recorder.commitSeconds.sum).toBeCloseTo(0.3);
    expect(recorder.commitRows.sum).toBe(7);
  });
});

describe('the bounded queue', () => {
  it('takes all of a request or none, and says when to come back', () => {
    const rows = rowsOf(AUDIT_EVENT, ids('a', 10));
    const { recorder } = harness({ queueBytes: rows.bytes.length * 2.5 });
    const outcomes = [1, 2, 3].map(() => recorder.submit(AUDIT_EVENT, rows, false));
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['queued', 'queued', 'no_room']);
    expect(outcomes[2]).toMatchObject({ retryAfterSeconds: 2 });
    expect(recorder.ledger.queued).toEqual([20, 0, 0]);
    expect(recorder.ledger.rejected.no_room).toEqual([10, 0, 0]);
    expect(imbalance(recorder.ledger)).toBeUndefined();
  });

  it('counts the batch in flight, and has room again once it is stored', async () => {
    const rows = rowsOf(AUDIT_EVENT, ids('a', 10));
    const { recorder, store } = harness({ queueBytes: rows.bytes.length });
    recorder.start();
    await settle();
    const gate = new Gate();
    store.answer = gate.pass;
    recorder.submit(AUDIT_EVENT, rows, false);
    await settle();
    expect(store.appends).toEqual([10]);
    const refused = recorder.submit(AUDIT_EVENT, rows, false);
    expect(refused).toEqual({ outcome: 'no_room', retryAfterSeconds: 1 });
    gate.end();
    await settle();
    expect(recorder.submit(AUDIT_EVENT, rows, false).outcome).toBe('queued');
  });

  it('never takes a request that is larger than the whole bound', () => {
    const { recorder } = harness({ queueBytes: 100 });
    const rows = rowsOf(AUDIT_EVENT, ids('a', 10));
    const refused = recorder.submit(AUDIT_EVENT, rows, true);
    expect(refused).toEqual({ outcome: 'exceeds_queue' });
    expect(recorder.ledger.rejected.exceeds_queue).toEqual([10, 0, 0]);
  });

  it('logs a full queue and a request that exceeds it once each, not once a request', () => {
    const { bytes } = rowsOf(AUDIT_EVENT, ['a']);
    const { recorder, lines } = harness({ queueBytes: bytes.length });
    for (let i = 0; i < 50; i++) {
      recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ['a']), false);
      recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ['a', 'b']), false);
    }
    expect(lines.map(({ msg }) => msg)).toEqual([
      expect.stringMatching(/^a request holds more than the whole queue/),
      'the queue is full: records are refused',
    ]);
    expect(recorder.ledger.rejected).toMatchObject({
      no_room: [49, 0, 0],
      exceeds_queue: [100, 0, 0],
    });
  });

  it('tells the age of the oldest record, in flight or waiting', async () => {
    const { recorder, store, clock } = harness();
    expect(recorder.oldestQueuedSeconds).toBe(0);
    const gate = new Gate();
    store.answer = gate.pass;
    recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ['a']), false);
    await clock.advance(3_000);
    recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ['b']), false);
    await clock.advance(1_000);
    expect(recorder.oldestQueuedSeconds).toBe(4);
    expect(recorder.idleMs).toBe(1_000);
    recorder.start();
    await settle();
    gate.end();
    await settle();
    expect(recorder.oldestQueuedSeconds).toBe(4);
    gate.end();
    await settle();
    expect(recorder.oldestQueuedSeconds).toBe(0);
  });

  it('settles a request without valid records at once', async () => {
    const { recorder } = harness();
    const end = settled(recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, []), true));
    expect(await end).toEqual({ stored: 0, duplicates: 0, dropped: [] });
  });
});

describe('the accounts', () => {
  it('tell kinds and reasons apart', async () => {
    const { recorder } = harness();
    recorder.start();
    recorder.refuse(COST_SNAPSHOT, 3);
    recorder.submit(COST_SNAPSHOT, rowsOf(COST_SNAPSHOT, ids('c', 2)), false);
    recorder.submit(SANDBOX_EVENT, rowsOf(SANDBOX_EVENT, ['s', 's']), false);
    await settle();
    const { ledger } = recorder;
    expect(ledger.received).toEqual([0, 2, 5]);
    expect(ledger.stored).toEqual([0, 1, 2]);
    expect(ledger.duplicate).toEqual([0, 1, 0]);
    expect(ledger.rejected.invalid).toEqual([0, 0, 3]);
    expect(total(ledger.queued)).toBe(0);
  });

  it('count what the no-op is given as dropped, at once and without a promise', async () => {
    const { recorder } = harness({ store: noopStore() });
    recorder.start();
    expect(recorder.status()).toEqual({
      storage: 'noop',
      driver: 'none',
      reason: null,
      lastWriteAgeSeconds: null,
      warnings: [],
    });
    const submitted = recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ids('a', 4)), true);
    expect(submitted).toEqual({ outcome: 'queued' });
    expect(recorder.ledger.dropped.noop).toEqual([4, 0, 0]);
    expect(recorder.queuedBytes).toBe(0);
    expect(await recorder.close(new AbortController().signal)).toEqual({ records: 0 });
    expect(recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ['b']), true).outcome).toBe('closing');
    expect(imbalance(recorder.ledger)).toBeUndefined();
  });
});
