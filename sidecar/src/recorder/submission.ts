import type { Driver } from '../stores/store.ts';

/** What became of one request's valid records at the queue: all of them, or none. */
export type Submitted =
  | {
      readonly outcome: 'queued';
      /**
       * Resolves, never rejects, when each record has met its end: stored, duplicate or dropped.
       * Absent unless it was asked for, and when the store keeps nothing (then nothing will ever
       * be durable).
       */
      readonly settled?: Promise<Settled>;
      /**
       * To be called by whoever waits no longer for {@link settled}, which then may stay open for ever:
       * records can be queued for days, and what waits for them would be kept with each.
       */
      readonly forget?: () => void;
    }
  | { readonly outcome: 'no_room' | 'closing'; readonly retryAfterSeconds: number }
  | {
      /** There would be no room for all of them if nothing else were queued. */
      readonly outcome: 'exceeds_queue';
    };

/**
 * The counts of one request. A record whose first attempt failed without an answer, though it had
 * reached the disk, comes back from the retry as a duplicate: `stored + duplicates` is what is
 * durable, and `stored` what is known to have been added by this request.
 */
export interface Settled {
  readonly stored: number;
  readonly duplicates: number;
  /** Records that the database refused, or that were left behind at close. */
  readonly dropped: readonly { readonly index: number; readonly reason: DropReason }[];
}

/** Why a record was refused before the queue. */
export type RejectReason = 'invalid' | 'no_room' | 'exceeds_queue' | 'closing';

/** Why a record was lost after it: refused by the database, left at close, or the no-op's. */
export type DropReason = 'refused' | 'closed' | 'noop';

/** What a recorder leaves behind at its end. */
export interface Left {
  /** Records that were in memory alone. */
  readonly records: number;
  /** What is not in order with what the store holds, though nothing of it is lost. */
  readonly fault?: string;
}

/** The state of storage, for /readyz. */
export interface StorageStatus {
  readonly storage: 'noop' | 'up' | 'down';
  readonly driver: Driver;
  /** Why it is down; null otherwise. */
  readonly reason: string | null;
  /** Seconds since a write, or a rolled-back trial write, last succeeded; null if none ever did. */
  readonly lastWriteAgeSeconds: number | null;
  readonly warnings: readonly string[];
}
