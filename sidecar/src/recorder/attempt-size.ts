import type { Schedule } from './schedule.ts';

/**
 * How much an attempt to commit may hold. A batch that is too large for the store, be it for a limit
 * of time or of room, fails as a whole each time it is tried; a part of it may not:
 *
 * - After a failure that may be due to the size, the next attempt may hold half of what failed, down
 *   to one row. So it is after a failure of which nothing is known, once the same rows have failed a
 *   few times: a proxy that cuts slow statements says no more than "connection lost".
 * - After a success the bound doubles, up to the schedule's.
 * - Where the doubled one fails, twice as many successes are waited for before it is tried again: a
 *   store that stays slow must not meet a failure for each success.
 */
export class AttemptSize {
  readonly #schedule: Schedule;
  #rows: number;
  #bytes: number;
  /** Failed attempts since the last success. */
  #failures = 0;
  /** Successes since the bound was last changed, and how many of them let it grow. */
  #successes = 0;
  #patience = 1;
  /** The bound has grown, and nothing of that size has succeeded yet. */
  #isTrying = false;

  constructor(schedule: Schedule) {
    this.#schedule = schedule;
    this.#rows = schedule.batchRows;
    this.#bytes = schedule.batchBytes;
  }

  /** Most rows of an attempt, at least one. */
  get rows(): number {
    return this.#rows;
  }

  /** Most bytes of an attempt that has more than one row. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * An attempt has failed through no fault of a record.
   *
   * @param tooLarge whether the store says that this may be for its size
   */
  failed(rows: number, bytes: number, tooLarge: boolean): void {
    this.#failures += 1;
    if (!tooLarge && this.#failures < this.#schedule.wholeAttempts) return;
    if (this.#isTrying && (rows * 2 > this.#rows || bytes * 2 > this.#bytes)) {
      this.#patience = Math.min(this.#patience * 2, this.#schedule.growthPatience);
    }
    this.#isTrying = false;
    this.#set(
      Math.min(this.#rows, Math.ceil(rows / 2)),
      Math.min(this.#bytes, Math.ceil(bytes / 2)),
    );
  }

  /**
   * An attempt has succeeded.
   *
   * @param isFull whether it held what the bound allows: less says nothing of more
   */
  succeeded(rows: number, bytes: number, isFull: boolean): void {
    this.#failures = 0;
    if (!isFull) return;
    // One long row may be all that the bound allows, before and after it has grown.
    if (rows > this.#rows * 0.75 || bytes > this.#bytes * 0.75) {
      if (this.#isTrying) this.#patience = 1;
      this.#isTrying = false;
    }
    const { batchRows, batchBytes } = this.#schedule;
    if (this.#rows === batchRows && this.#bytes === batchBytes) return;
    this.#successes += 1;
    if (this.#successes < this.#patience) return;
    this.#set(this.#rows * 2, this.#bytes * 2);
    this.#isTrying = true;
  }

  #set(rows: number, bytes: number): void {
    this.#rows = Math.min(rows, this.#schedule.batchRows);
    this.#bytes = Math.min(bytes, this.#schedule.batchBytes);
    this.#successes = 0;
  }
}
