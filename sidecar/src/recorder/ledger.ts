import { KINDS, type Kind } from '../records/kinds.ts';
import type { DropReason, RejectReason } from './submission.ts';

/** A number for each kind of record, by `kind.index`. */
export type ByKind = readonly number[];

const zeros = (): number[] => KINDS.map(() => 0);

/**
 * Where each record that ever arrived is now, since the process's start. At every moment, for each
 * kind, `received = stored + duplicate + rejected + dropped + queued`: each method moves records
 * from one term to another and so keeps it.
 */
export class Ledger {
  readonly #received = zeros();
  readonly #stored = zeros();
  readonly #duplicate = zeros();
  readonly #queued = zeros();
  readonly #rejected = {
    invalid: zeros(),
    no_room: zeros(),
    exceeds_queue: zeros(),
    closing: zeros(),
  };
  readonly #dropped = { refused: zeros(), closed: zeros(), noop: zeros() };

  /** Records of complete, parsable bodies. */
  get received(): ByKind {
    return this.#received;
  }

  /** Durable, for the first time. */
  get stored(): ByKind {
    return this.#stored;
  }

  /** Already there, by event_id. */
  get duplicate(): ByKind {
    return this.#duplicate;
  }

  /** In memory: waiting, or in the batch in flight. */
  get queued(): ByKind {
    return this.#queued;
  }

  /** Refused before the queue. */
  get rejected(): Readonly<Record<RejectReason, ByKind>> {
    return this.#rejected;
  }

  /** Lost after it. */
  get dropped(): Readonly<Record<DropReason, ByKind>> {
    return this.#dropped;
  }

  /** Queued records of all kinds. */
  get queuedRecords(): number {
    return this.#queued.reduce((sum, count) => sum + count, 0);
  }

  reject(kind: Kind, reason: RejectReason, count: number): void {
    move(this.#received, kind, count);
    move(this.#rejected[reason], kind, count);
  }

  enqueue(kind: Kind, count: number): void {
    move(this.#received, kind, count);
    move(this.#queued, kind, count);
  }

  /** Takes records in and loses them at once, as the no-op does. */
  discard(kind: Kind, count: number): void {
    move(this.#received, kind, count);
    move(this.#dropped.noop, kind, count);
  }

  commit(kind: Kind, stored: number, duplicates: number): void {
    move(this.#queued, kind, -(stored + duplicates));
    move(this.#stored, kind, stored);
    move(this.#duplicate, kind, duplicates);
  }

  drop(kind: Kind, reason: DropReason, count: number): void {
    move(this.#queued, kind, -count);
    move(this.#dropped[reason], kind, count);
  }
}

function move(term: number[], kind: Kind, count: number): void {
  term[kind.index] = (term[kind.index] ?? 0) + count;
}
