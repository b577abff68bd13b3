import type { ListQuery, Page } from '../records/list.ts';
import type { Rows } from '../records/rows.ts';

/** `unknown` where what was asked for names none of the others; such storage is down. */
export type Driver = 'none' | 'sqlite' | 'postgres' | 'mysql' | 'unknown';

/**
 * Where records are kept. One of these exists in a process; the recorder alone calls `open`,
 * `append`, `probe` and `close`, one at a time; `list` may come at any moment and in parallel.
 *
 * A method that fails rejects with a {@link StoreError}; any other error is taken for a transient
 * one.
 */
export interface Store {
  readonly driver: Driver;

  /**
   * Set by the store that keeps nothing: its records count as dropped, no write is ever durable.
   */
  readonly discards?: true;

  /**
   * Connects, migrates, makes ready. Called before the first append and again before the one that
   * follows a failure; does nothing when all is well. What it finds broken it closes and opens
   * anew.
   */
  open(): Promise<void>;

  /**
   * Stores rows atomically and durably: when it resolves, they survive a power cut. Idempotent by
   * event_id, so a batch whose outcome is unknown may be sent again.
   *
   * The buffer is the store's from here on: it may be transferred to another thread.
   */
  append(rows: Rows): Promise<Appended>;

  /**
   * Reads one page; rejects while the store is down.
   *
   * @param signal aborts when nobody waits for the page any more: no more work goes into it
   */
  list(query: ListQuery, signal?: AbortSignal): Promise<Page>;

  /**
   * Begins a copy of all that is stored at this moment, while writes go on. One at a time; absent where
   * the storage has better means of its own.
   *
   * @param signal aborts when nobody waits for its beginning any more
   */
  backup?(signal: AbortSignal): Promise<Backup>;

  /** Proves that a write would succeed, by one that is rolled back. */
  probe?(): Promise<void>;

  /** What the store itself sees amiss at this moment (`worker hung for 12 s`), if anything. */
  complaint?(): string | undefined;

  /**
   * True once its connection has ended at rest, which no call has told: `open` makes it anew, or says
   * why that fails.
   */
  isLost?(): boolean;

  /** What works, but should be looked at; shown in /readyz. */
  warnings?(): readonly string[];

  /** Figures of the store for /metrics, read at scrape time. */
  gauges?(): readonly Gauge[];

  /**
   * Releases everything. May be called in any state and twice; does not wait longer than the
   * signal allows.
   *
   * @throws StoreError when what is durable did not come to lie as it does after a clean end: what
   * whoever copies or moves it now has to know
   */
  close(signal: AbortSignal): Promise<void>;
}

export interface Appended {
  /** Indexes, ascending, of the rows that were stored already or stand twice in the batch. */
  readonly duplicates: readonly number[];
}

/** A copy of a store on its way. */
export interface Backup {
  readonly bytes: number;

  /**
   * Reads it. The last part comes only when all of them are known to be of one moment: whoever got every
   * byte has a whole copy.
   *
   * @throws StoreError when it cannot be had to its end
   */
  parts(): AsyncIterable<Uint8Array>;

  /** Ends it, wherever it is. May be called twice. */
  close(): Promise<void>;
}

export interface Gauge {
  /** Without the prefix `agenttier_storage_`, with its unit: `wal_bytes`. */
  readonly name: string;
  readonly help: string;
  readonly value: number;
  /** `counter` for values that only grow; then the name ends in `_total`. */
  readonly type?: 'gauge' | 'counter';
}
