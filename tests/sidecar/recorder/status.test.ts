import { describe, expect, it } from 'vitest';
import { StoreError } from '../../../sidecar/src/stores/store-error.ts';
import { unusableStore } from '../../../sidecar/src/stores/unusable.ts';
import { Gate } from './support/fake-store.ts';
import { harness } from './support/harness.ts';
import { AUDIT_EVENT, ids, rowsOf } from './support/records.ts';
import { settle } from './support/virtual-clock.ts';

describe('the state of storage', () => {
  it('is down until the store has proved itself, then up', async () => {
    const { recorder, store, lines } = harness();
    expect(recorder.status()).toMatchObject({
      storage: 'down',
      driver: 'sqlite',
      reason: 'storage is being opened',
      lastWriteAgeSeconds: null,
    });
    recorder.start();
    await settle();
    expect(store.calls).toEqual(['open', 'probe']);
    expect(recorder.status()).toMatchObject({
      storage: 'up',
      reason: null,
      lastWriteAgeSeconds: 0,
    });
    expect(lines.map(({ msg }) => msg)).toEqual(['storage is up']);
  });

  it('says why it is down, and logs one line a change whatever the number of retries', async () => {
    const { recorder, store, lines, clock } = harness();
    recorder.start();
    await settle();
    store.answer = () => 'transient';
    recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ['a']), false);
    await clock.advance(59_000);
    expect(recorder.status()).toMatchObject({
      storage: 'down',
      reason: 'connection refused; start it',
    });
    store.answer = () => 'ok';
    await clock.advance(5_000);
    expect(recorder.status().storage).toBe('up');
    expect(lines.map(({ msg }) => msg)).toEqual([
      'storage is up',
      'storage is down',
      'storage is up',
    ]);
    expect(lines[1]).toMatchObject({ reason: 'connection refused; start it', failures: 1 });
    expect(Number(lines[2]?.failures)).toBeGreaterThan(10);
    expect(Number(lines[2]?.down_seconds)).toBeGreaterThanOrEqual(59);
  });

  it('does not claim to be up because opening works while writing does not', async () => {
    const { recorder, store, clock, lines } = harness();
    store.answer = (call) => (call === 'open' ? 'ok' : 'transient');
    recorder.start();
    await clock.advance(30_000);
    recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ['a']), false);
    await clock.advance(25_000);
    expect(recorder.status().storage).toBe('down');
    expect(lines.map(({ msg }) => msg)).toEqual(['storage is down']);
  });

  it('repeats itself once a minute, and tells a new reason at once', async () => {
    const { recorder, store, clock, lines } = harness();
    let reason = 'disk full';
    store.open = async () => {
      throw new StoreError(reason);
    };
    recorder.start();
    await clock.advance(59_000);
    expect(lines).toHaveLength(1);
    await clock.advance(10_000);
    expect(lines).toHaveLength(2);
    reason = 'disk gone';
    await clock.advance(10_000);
    expect(lines.map((line) => line.reason)).toEqual(['disk full', 'disk full', 'disk gone']);
  });

  it('is down while a call does not return, and up again when it does', async () => {
    const { recorder, store, clock, lines } = harness();
    recorder.start();
    await settle();
    const gate = new Gate();
    store.answer = gate.pass;
    recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ['a']), false);
    await clock.advance(9_000);
    expect(recorder.status().storage).toBe('up');
    await clock.advance(12_000);
    expect(recorder.status()).toMatchObject({
      storage: 'down',
      reason: 'the store has not answered for 21 s (committing)',
    });
    await clock.advance(10_000);
    gate.end();
    await settle();
    expect(recorder.status()).toMatchObject({ storage: 'up', lastWriteAgeSeconds: 0 });
    expect(lines.map(({ msg }) => msg)).toEqual([
      'storage is up',
      'storage is down',
      'storage is up',
    ]);
  });

  it('is down while the store complains, though nothing is due', async () => {
    const { recorder, store, clock, lines } = harness();
    recorder.start();
    await settle();
    store.complains = 'worker hung for 3 s';
    expect(recorder.status()).toMatchObject({ storage: 'down', reason: 'worker hung for 3 s' });
    await clock.advance(20_000);
    store.complains = undefined;
    await clock.advance(5_000);
    expect(recorder.status().storage).toBe('up');
    expect(lines.map(({ msg }) => msg)).toEqual([
      'storage is up',
      'storage is down',
      'storage is up',
    ]);
  });

  it('passes on the warnings of the store', () => {
    const { recorder, store } = harness();
    store.warning = 'nearly full';
    expect(recorder.status().warnings).toEqual(['nearly full']);
  });

  it('stays down with the reason where storage cannot be configured', async () => {
    const { recorder, clock } = harness({
      store: unusableStore('postgres', 'set STORAGE_DSN'),
    });
    recorder.start();
    recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, ['a']), false);
    await clock.advance(600_000);
    expect(recorder.status()).toMatchObject({ storage: 'down', reason: 'set STORAGE_DSN' });
    expect(recorder.ledger.queued).toEqual([1, 0, 0]);
  });

  it('advises to come back later the longer it has been down', async () => {
    const rows = rowsOf(AUDIT_EVENT, ids('a', 2));
    const { recorder, store, clock } = harness({ queueBytes: rows.bytes.length });
    store.answer = () => 'transient';
    recorder.start();
    recorder.submit(AUDIT_EVENT, rows, false);
    const advice = async (milliseconds: number) => {
      await clock.advance(milliseconds);
      return recorder.submit(AUDIT_EVENT, rows, false);
    };
    expect(await advice(0)).toMatchObject({ retryAfterSeconds: 2 });
    expect(await advice(12_000)).toMatchObject({ retryAfterSeconds: 12 });
    expect(await advice(3_600_000)).toMatchObject({ retryAfterSeconds: 30 });
  });
});

describe('the trial write', () => {
  it('is made once a minute while nothing is written', async () => {
    const { recorder, store, clock } = harness();
    recorder.start();
    await settle();
    store.calls.length = 0;
    await clock.advance(600_000);
    expect(store.calls.length).toBeGreaterThanOrEqual(9);
    expect(store.calls.length).toBeLessThanOrEqual(10);
    expect(new Set(store.calls)).toEqual(new Set(['probe']));
  });

  it('is spared where records are written', async () => {
    const { recorder, store, clock } = harness();
    recorder.start();
    await settle();
    store.calls.length = 0;
    for (const id of ids('a', 20)) {
      recorder.submit(AUDIT_EVENT, rowsOf(AUDIT_EVENT, [id]), false);
      await clock.advance(30_000);
    }
    expect(new Set(store.calls)).toEqual(new Set(['append']));
  });

  it('is made within seconds where the store has lost its connection, after it is opened anew', async () => {
    const { recorder, store, clock } = harness();
    recorder.start();
    await settle();
    store.calls.length = 0;
    store.lost = true;
    await clock.advance(5_000);
    expect(store.calls).toEqual(['open', 'probe']);
    expect(recorder.status()).toMatchObject({ storage: 'up' });
    await clock.advance(20_000);
    expect(store.calls).toHaveLength(2);

    store.lost = true;
    store.answer = (call) => (call === 'open' ? 'transient' : 'ok');
    await clock.advance(5_000);
    expect(recorder.status().storage).toBe('down');
  });

  it('that fails brings storage down, and one that succeeds brings it back', async () => {
    const { recorder, store, clock } = harness();
    recorder.start();
    await settle();
    store.answer = (call) => (call === 'probe' ? 'transient' : 'ok');
    await clock.advance(70_000);
    expect(recorder.status().storage).toBe('down');
    store.answer = () => 'ok';
    await clock.advance(5_000);
    expect(recorder.status()).toMatchObject({ storage: 'up' });
  });
});
