import type { Kind } from '../records/kinds.ts';
import type { Rows } from '../records/rows.ts';
import type { DropReason, Settled } from './submission.ts';

/** Who waits for a parcel, and what to tell them so far. */
interface Waiter {
  stored: number;
  duplicates: number;
  readonly dropped: { index: number; reason: DropReason }[];
  readonly resolve: (settled: Settled) => void;
}

/** One request's valid records, from its arrival until each of them has met its end. */
export class Parcel {
  readonly kind: Kind;
  readonly rows: Rows;
  /** By the recorder's clock. */
  readonly queuedAt: number;
  #unsettled: number;
  #waiter: Waiter | undefined;

  constructor(kind: Kind, rows: Rows, queuedAt: number) {
    this.kind = kind;
    this.rows = rows;
    this.queuedAt = queuedAt;
    this.#unsettled = rows.count;
  }

  /** True when none of its records is in the recorder's hands any more. */
  get isSettled(): boolean {
    return this.#unsettled === 0;
  }

  /** To be called at most once, before anything is settled. */
  whenSettled(): Promise<Settled> {
    const { promise, resolve } = Promise.withResolvers<Settled>();
    this.#waiter = { stored: 0, duplicates: 0, dropped: [], resolve };
    return promise;
  }

  /** Nobody waits any longer. */
  forget(): void {
    this.#waiter = undefined;
  }

  /** Settles the next records in order. */
  commit(stored: number, duplicates: number): void {
    const waiter = this.#waiter;
    if (waiter !== undefined) {
      waiter.stored += stored;
      waiter.duplicates += duplicates;
    }
    this.#settle(stored + duplicates);
  }

  /** Settles the next records in order. */
  drop(count: number, reason: DropReason): void {
    const first = this.rows.count - this.#unsettled;
    if (this.#waiter !== undefined) {
      for (let i = 0; i < count; i++) this.#waiter.dropped.push({ index: first + i, reason });
    }
    this.#settle(count);
  }

  /** Tells whoever waits what became of all its records; to be called once they are settled. */
  tell(): void {
    if (this.#waiter === undefined) return;
    const { stored, duplicates, dropped, resolve } = this.#waiter;
    this.#waiter = undefined;
    resolve({ stored, duplicates, dropped });
  }

  #settle(count: number): void {
    this.#unsettled -= count;
  }
}
