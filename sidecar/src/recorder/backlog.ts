import type { Kind } from '../records/kinds.ts';
import { freeBytes, type Rows } from '../records/rows.ts';
import { Batch } from './batch.ts';
import { Ledger } from './ledger.ts';
import { Parcel } from './parcel.ts';
import { Queue } from './queue.ts';
import type { DropReason } from './submission.ts';

/**
 * The records in the recorder's hands, waiting or in flight, with their account: whatever becomes
 * of one is written in the ledger and in its parcel, and frees its room, in one turn. Who waits for
 * a parcel learns of its end at the next {@link Backlog.tell}.
 */
export class Backlog {
  readonly ledger = new Ledger();
  /** Most bytes of rows held at a time. */
  readonly bound: number;
  readonly #queue = new Queue();
  /** In flight: between its first attempt and the end of its last row. */
  #batch: Batch | undefined;
  #bytes = 0;
  /** Settled, and not told yet. */
  #untold: Parcel[] = [];

  constructor(bound: number) {
    this.bound = bound;
  }

  /** Bytes of rows held. A parcel's count until its last row has met its end. */
  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#batch === undefined && this.#queue.isEmpty;
  }

  /** True while a batch is in flight. */
  get isCommitting(): boolean {
    return this.#batch !== undefined;
  }

  /** When the oldest record arrived. */
  get oldestAt(): number | undefined {
    return (this.#batch?.first ?? this.#queue.first)?.queuedAt;
  }

  hasRoomFor(rows: Rows): boolean {
    return this.#bytes + rows.bytes.length <= this.bound;
  }

  /** Takes in a request's records, at least one, for which there must be room. */
  add(kind: Kind, rows: Rows, now: number): Parcel {
    const parcel = new Parcel(kind, rows, now);
    this.ledger.enqueue(kind, rows.count);
    this.#queue.push(parcel);
    this.#bytes += rows.bytes.length;
    return parcel;
  }

  /** The batch in flight, or else a new one; there must be records. */
  batch(maxRows: number, maxBytes: number): Batch {
    this.#batch ??= new Batch(this.#queue.take(maxRows, maxBytes));
    return this.#batch;
  }

  /**
   * The batch's last attempt succeeded.
   *
   * @param duplicates indexes in the attempt, ascending
   */
  commit(duplicates: readonly number[]): void {
    let next = 0;
    this.#settle((parcel, rows, first) => {
      const start = next;
      while ((duplicates[next] ?? Number.POSITIVE_INFINITY) < first + rows) next += 1;
      const doubles = next - start;
      this.ledger.commit(parcel.kind, rows - doubles, doubles);
      parcel.commit(rows - doubles, doubles);
    });
  }

  /** Drops the rows of the batch's last attempt. */
  drop(reason: DropReason): void {
    this.#settle((parcel, rows) => {
      this.ledger.drop(parcel.kind, reason, rows);
      parcel.drop(rows, reason);
    });
  }

  /** Drops everything. */
  abandon(): void {
    this.#batch?.join();
    while (!this.isEmpty) {
      this.batch(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
      this.drop('closed');
    }
  }

  /** Tells whoever waits for parcels that were settled since. */
  tell(): void {
    const parcels = this.#untold;
    if (parcels.length === 0) return;
    this.#untold = [];
    for (const parcel of parcels) parcel.tell();
  }

  #settle(end: (parcel: Parcel, rows: number, first: number) => void): void {
    const batch = this.#batch;
    if (batch === undefined) return;
    batch.settle((parcel, rows, first) => {
      end(parcel, rows, first);
      if (!parcel.isSettled) return;
      this.#bytes -= parcel.rows.bytes.length;
      freeBytes(parcel.rows.bytes);
      this.#untold.push(parcel);
    });
    if (batch.isDone) this.#batch = undefined;
  }
}
