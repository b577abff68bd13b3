import type { Kind } from '../records/kinds.ts';
import { freeBytes, type Rows } from '../records/rows.ts';
import type { Appended, Store } from '../stores/store.ts';
import { StoreError } from '../stores/store-error.ts';
import { Fold } from '../telemetry/fold.ts';
import { Histogram } from '../telemetry/histogram.ts';
import type { Log } from '../telemetry/log.ts';
import { AttemptSize } from './attempt-size.ts';
import { Backlog } from './backlog.ts';
import type { Batch } from './batch.ts';
import { type Clock, systemClock, whenAborted } from './clock.ts';
import { describeFailure, Health } from './health.ts';
import type { Ledger } from './ledger.ts';
import {
  COMMIT_ROWS,
  COMMIT_SECONDS,
  retryAfter,
  retryDelay,
  SCHEDULE,
  type Schedule,
} from './schedule.ts';
import { type Failures, isCalling, type RecorderState } from './state.ts';
import type { Left, StorageStatus, Submitted } from './submission.ts';

export interface RecorderOptions {
  readonly store: Store;
  /** Most bytes of rows held at a time, waiting and in flight. */
  readonly queueBytes: number;
  readonly log: Log;
  readonly clock?: Clock;
  /** Uniform in [0, 1); for the jitter of retries. */
  readonly random?: () => number;
  readonly schedule?: Partial<Schedule>;
}

const QUEUED = { outcome: 'queued' } as const satisfies Submitted;
const NOTHING_SETTLED = { stored: 0, duplicates: 0, dropped: [] };

/**
 * Takes records from the API at once and writes them to the store in groups: a bounded queue, one
 * loop, and the account of what became of every record.
 *
 * The loop alone calls the store, one call at a time, and is in one of these states:
 *
 *     new          not started
 *     opening      store.open() is under way
 *     gathering    rows are queued; the turn of the event loop in which they were read is to end
 *     committing   store.append() of a batch is under way, or of as much of it as may go at once
 *     isolating    store.append() of a part of a batch, in which the database refused a value
 *     probing      store.probe(), a write that is rolled back, is under way
 *     backing_off  a call failed; waits before it opens again
 *     idle         nothing is due
 *     closed       for good
 *
 *     new ──start──▶ opening
 *     opening, a call that succeeded, idle at an arrival ──▶ what is due: the rest of a batch ▶
 *       committing or isolating; queued rows ▶ gathering, committing, right after a commit ▶
 *       committing; a trial write ▶ probing; none of these ▶ idle
 *     committing, isolating ──data failure──▶ isolating: the first half next, then the second; for
 *       a record that is refused alone ▶ probing: where the trial write fails, the failure is the
 *       database's and not the record's, and it is kept; else ▶ isolating, that record once more,
 *       which is dropped if it is refused again: what refused all may have ended in between
 *     any call ──transient failure──▶ backing_off ──delay over──▶ opening
 *     any ──close──▶ the same, with short delays, until nothing is queued or the signal aborts;
 *       then closed
 *
 * - While a commit is under way arrivals gather; the next one takes all of them up to a cap, and
 *   begins before anybody is told how the last one ended: to answer its requests takes a while, in
 *   which the store need not stand idle. After a rest a batch is begun at the end of the turn of the
 *   event loop, so that requests which were read together share it. There is no timer: one record
 *   alone commits at once, a flood in large groups.
 * - A transient failure tries the rows again, for ever: `event_id` makes that safe. Where the
 *   failed attempt had in truth reached the disk (a connection lost after COMMIT), the rows come
 *   back as duplicates and are counted so, also to the request that waits for them: `stored` counts
 *   what an attempt is known to have added, `stored + duplicates` what is durable.
 * - An attempt that may have failed for its size (the store says so, or the same rows have failed
 *   a few times) is followed by one of its first half, and so on down to one row; what succeeds
 *   counts, and lets the next attempts grow. So no batch is too large for ever for a store that
 *   would take its records in parts. See {@link AttemptSize}.
 * - Storage is up after a successful append or trial write, or, for a store without trial writes
 *   and with no rows at hand to retry, after open. It is down after a failed call, while a call
 *   does not return, and while the store complains.
 * - For a store that discards, nothing is queued, no loop runs, and records count as dropped in the
 *   turn in which they arrive.
 */
export class Recorder {
  /** Where each record is; see there for the equation that holds at every moment. */
  readonly ledger: Ledger;
  /** Durations of successful commits. */
  readonly commitSeconds = new Histogram(COMMIT_SECONDS);
  /** Rows of successful commits. */
  readonly commitRows = new Histogram(COMMIT_ROWS);

  readonly #store: Store;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #schedule: Schedule;
  readonly #size: AttemptSize;
  readonly #backlog: Backlog;
  readonly #health: Health;
  readonly #fold = new Fold();
  readonly #failures: Failures = { transient: 0, unexpected: 0, data: 0 };

  #state: RecorderState = 'new';
  #stateSince: number;
  #loop: Promise<void> = Promise.resolve();
  /** Ends the pause of the states idle and backing_off. */
  #wake: (() => void) | undefined;
  /** Ends the watch. */
  readonly #watching = new AbortController();
  #isClosing = false;
  #closing: Promise<Left> | undefined;
  /** Set when the loop must not begin another call. */
  #stopped = false;

  #isOpen = false;
  #proofDue = true;
  /** Failed calls since the last success; rules the delay. */
  #failuresInARow = 0;
  /** When a write or a trial write last succeeded. */
  #provedAt: number | undefined;
  #submittedAt: number;

  constructor(options: RecorderOptions) {
    this.#store = options.store;
    this.#log = options.log;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#schedule = { ...SCHEDULE, ...options.schedule };
    this.#size = new AttemptSize(this.#schedule);
    this.#backlog = new Backlog(options.queueBytes);
    this.ledger = this.#backlog.ledger;
    this.#health = new Health(this.#log, this.#clock, this.#schedule.repeatMs);
    this.#stateSince = this.#clock.now();
    this.#submittedAt = this.#stateSince;
  }

  get state(): RecorderState {
    return this.#state;
  }

  /** True once {@link close} was called: nothing is accepted any more. */
  get isClosing(): boolean {
    return this.#isClosing;
  }

  get failures(): Readonly<Failures> {
    return this.#failures;
  }

  /** Bytes of rows held, waiting or in flight; never more than the bound. */
  get queuedBytes(): number {
    return this.#backlog.bytes;
  }

  /** Age of the oldest record that is still queued or in flight; 0 when there is none. */
  get oldestQueuedSeconds(): number {
    const { oldestAt } = this.#backlog;
    return oldestAt === undefined ? 0 : (this.#clock.now() - oldestAt) / 1_000;
  }

  /** Milliseconds since records last arrived, refused ones included; since the start if none did. */
  get idleMs(): number {
    return this.#clock.now() - this.#submittedAt;
  }

  /** Begins the loop, which opens the store and tries again for ever. Does nothing the next time. */
  start(): void {
    if (this.#state !== 'new' || this.#isClosing || this.#store.discards) return;
    this.#loop = this.#run();
    void this.#watch();
  }

  /**
   * Takes all of a request's valid records, or none; counts them before it returns. Works before
   * {@link start} and while storage is down. A request larger than the whole bound is never taken.
   *
   * @param rows of that kind, well-formed; the recorder's from here on
   * @param wait whether to answer a promise of the records' end
   */
  submit(kind: Kind, rows: Rows, wait: boolean): Submitted {
    const { count } = rows;
    const now = this.#clock.now();
    this.#submittedAt = now;
    if (this.#isClosing) {
      this.ledger.reject(kind, 'closing', count);
      return { outcome: 'closing', retryAfterSeconds: retryAfter(undefined) };
    }
    if (this.#store.discards) {
      this.ledger.discard(kind, count);
      return QUEUED;
    }
    if (count === 0) {
      return wait ? { ...QUEUED, settled: Promise.resolve(NOTHING_SETTLED) } : QUEUED;
    }
    if (!this.#backlog.hasRoomFor(rows)) return this.#refuseForRoom(kind, rows);
    const parcel = this.#backlog.add(kind, rows, now);
    if (this.#state === 'idle') this.#wake?.();
    if (!wait) return QUEUED;
    const settled = parcel.whenSettled();
    return { outcome: 'queued', settled, forget: () => parcel.forget() };
  }

  /** Counts invalid records of complete, parsable bodies. */
  refuse(kind: Kind, count: number): void {
    this.#submittedAt = this.#clock.now();
    this.ledger.reject(kind, 'invalid', count);
  }

  status(): StorageStatus {
    const { driver, discards } = this.#store;
    const warnings = this.#store.warnings?.() ?? [];
    if (discards) {
      return { storage: 'noop', driver, reason: null, lastWriteAgeSeconds: null, warnings };
    }
    const reason = this.#amiss() ?? this.#health.reason ?? null;
    const lastWriteAgeSeconds =
      this.#provedAt === undefined ? null : (this.#clock.now() - this.#provedAt) / 1_000;
    const storage = reason === null ? 'up' : 'down';
    return { storage, driver, reason, lastWriteAgeSeconds, warnings };
  }

  /**
   * Stops accepting at once, goes on committing until nothing is queued or the signal aborts, and
   * closes the store. What is left then counts as dropped, `closed`; where a call hangs that
   * includes rows that may yet reach the disk. Resolves soon after the signal whatever the store
   * does, and never rejects; every promise given out by {@link submit} is resolved by then.
   *
   * @returns what was left; the next call answers the first one's promise
   */
  close(signal: AbortSignal): Promise<Left> {
    this.#closing ??= this.#close(signal);
    return this.#closing;
  }

  /** The one place that changes the state. */
  #enter(state: RecorderState): void {
    this.#state = state;
    this.#stateSince = this.#clock.now();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        const call = this.#begin();
        this.#backlog.tell();
        if (call === undefined) return;
        await call;
      } catch (error) {
        if (!this.#stopped) await this.#backOff(error);
      }
    }
    this.#backlog.tell();
  }

  /** Begins what is due; undefined when nothing ever will be. */
  #begin(): Promise<void> | undefined {
    const isDue = !this.#backlog.isEmpty;
    if (this.#isClosing && !isDue) return undefined;
    if (!this.#isOpen) return this.#open();
    if (isDue) return this.#commit();
    if (this.#proofDue && this.#store.probe !== undefined) return this.#probe();
    return this.#idle();
  }

  async #open(): Promise<void> {
    this.#enter('opening');
    await this.#store.open();
    this.#isOpen = true;
    if (!this.#backlog.isCommitting && this.#store.probe === undefined) this.#working();
  }

  async #commit(): Promise<void> {
    // What is queued when a commit ends has gathered while it was under way.
    if (!this.#backlog.isCommitting && this.#state !== 'committing') {
      this.#enter('gathering');
      await this.#clock.endOfTurn();
      if (this.#stopped) return;
    }
    const { batchRows, batchBytes } = this.#schedule;
    const batch = this.#backlog.batch(batchRows, batchBytes);
    const size = this.#size;
    const isFull = batch.cut(size.rows, size.bytes);
    const rows = batch.attempt();
    const { count } = rows;
    const bytes = rows.bytes.length; // The store may transfer the buffer.
    this.#enter(batch.isRefused ? 'isolating' : 'committing');
    const startedAt = this.#stateSince;
    let appended: Appended;
    try {
      appended = await this.#store.append(rows);
    } catch (error) {
      if (this.#state === 'closed') return;
      if (!(error instanceof StoreError) || error.class !== 'data') {
        size.failed(count, bytes, error instanceof StoreError && error.tooLarge);
        throw error;
      }
      this.#failures.data += 1;
      if (count > 1) batch.halve();
      else await this.#refusedAlone(batch, bytes, error);
      return;
    }
    if (this.#state === 'closed') return;
    size.succeeded(count, bytes, isFull);
    this.#backlog.commit(appended.duplicates);
    this.#provedAt = this.#clock.now();
    this.commitSeconds.observe((this.#provedAt - startedAt) / 1_000);
    this.commitRows.observe(count);
    this.#working();
  }

  async #probe(): Promise<void> {
    this.#enter('probing');
    await this.#store.probe?.();
    this.#provedAt = this.#clock.now();
    this.#working();
  }

  async #idle(): Promise<void> {
    this.#enter('idle');
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
  }

  async #backOff(error: unknown): Promise<void> {
    this.#failures[error instanceof StoreError ? 'transient' : 'unexpected'] += 1;
    this.#failuresInARow += 1;
    this.#isOpen = false;
    this.#proofDue = true;
    this.#health.failed(describeFailure(error));
    this.#enter('backing_off');
    const pause = new AbortController();
    this.#wake = () => pause.abort();
    const closing = this.#isClosing;
    const delay = retryDelay(this.#schedule, this.#failuresInARow, closing, this.#random());
    await this.#clock.sleep(delay, pause.signal);
    this.#wake = undefined;
  }

  /** The store has done what it is for. */
  #working(): void {
    this.#failuresInARow = 0;
    this.#proofDue = false;
    if (this.#store.complaint?.() === undefined) this.#health.succeeded();
  }

  /**
   * A record was refused alone. It is dropped only where the database takes others, and refuses it
   * again after that was proved: the first refusal may have been one of all records.
   */
  async #refusedAlone(batch: Batch, bytes: number, error: StoreError): Promise<void> {
    // What nobody judged is left behind.
    if (this.#stopped) return;
    if (this.#store.probe !== undefined && !batch.isProved) {
      await this.#probe();
      batch.prove();
      return;
    }
    const kind = batch.first?.kind.name;
    this.#backlog.drop('refused');
    const { reason } = error;
    this.#fold.tell(`refused ${kind} ${reason}`, (repeated) =>
      this.#log.error(
        { kind, bytes, reason, repeated },
        'the database refused a record, which is dropped',
      ),
    );
  }

  #refuseForRoom(kind: Kind, { bytes, count }: Rows): Submitted {
    const { bytes: queued, bound } = this.#backlog;
    const size = bytes.length;
    freeBytes(bytes); // Refused ones come fast, and would double what a full queue holds.
    if (size > bound) {
      this.ledger.reject(kind, 'exceeds_queue', count);
      this.#fold.tell('exceeds queue', (repeated) =>
        this.#log.warn(
          { request_bytes: size, bound, repeated },
          'a request holds more than the whole queue and is refused: raise STORAGE_QUEUE_BYTES, or send its records in several',
        ),
      );
      return { outcome: 'exceeds_queue' };
    }
    this.ledger.reject(kind, 'no_room', count);
    const reason = this.#health.reason ?? null;
    this.#fold.tell('no room', (repeated) =>
      this.#log.warn(
        { queue_bytes: queued, bound, reason, repeated },
        'the queue is full: records are refused',
      ),
    );
    return { outcome: 'no_room', retryAfterSeconds: retryAfter(this.#health.downSeconds) };
  }

  /** What is wrong at this moment without a call having failed. */
  #amiss(): string | undefined {
    const complaint = this.#store.complaint?.();
    if (complaint !== undefined) return complaint;
    if (this.#state === 'closed') return 'storage is closed';
    if (!isCalling(this.#state)) return undefined;
    const pendingMs = this.#clock.now() - this.#stateSince;
    if (pendingMs < this.#schedule.stallMs) return undefined;
    return `the store has not answered for ${Math.floor(pendingMs / 1_000)} s (${this.#state})`;
  }

  /** Looks now and then for what no call to the store would tell. */
  async #watch(): Promise<void> {
    const { signal } = this.#watching;
    for (;;) {
      await this.#clock.sleep(this.#schedule.watchMs, signal);
      if (signal.aborted) return;
      const amiss = this.#amiss();
      if (amiss !== undefined) this.#health.amiss(amiss);
      if (this.#state !== 'idle') continue;
      const isDown = this.#health.reason !== undefined;
      if (isDown || this.#store.isLost?.() === true) this.#isOpen = false;
      else if (!this.#isProofOld()) continue;
      this.#proofDue = true;
      this.#wake?.();
    }
  }

  #isProofOld(): boolean {
    if (this.#store.probe === undefined || this.#provedAt === undefined) return false;
    return this.#clock.now() - this.#provedAt >= this.#schedule.probeAfterMs;
  }

  async #close(signal: AbortSignal): Promise<Left> {
    this.#isClosing = true;
    this.#wake?.();
    const aborted = whenAborted(signal);
    await Promise.race([this.#loop, aborted]);
    this.#stopped = true;
    this.#watching.abort();
    this.#wake?.();

    // A call that still hangs may return while the store closes; its rows count as they ended.
    const patience = new AbortController();
    const grace = aborted
      .then(() => this.#clock.sleep(this.#schedule.closeStoreMs, patience.signal))
      .then(() => 'the store does not end');
    const fault = await Promise.race([this.#closeStore(signal), grace]);
    patience.abort();

    const records = this.ledger.queuedRecords;
    this.#backlog.abandon();
    this.#backlog.tell();
    this.#enter('closed');
    return fault === undefined ? { records } : { records, fault };
  }

  /** @returns what is not in order */
  async #closeStore(signal: AbortSignal): Promise<string | undefined> {
    try {
      await this.#store.close(signal);
      return undefined;
    } catch (error) {
      return describeFailure(error);
    }
  }
}
