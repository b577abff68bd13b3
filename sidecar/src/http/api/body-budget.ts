/** Counts the bytes of all bodies in flight, and keeps them below one limit. */
export class BodyBudget {
  readonly #limit: number;
  #held = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes that bodies hold at the moment. */
  get held(): number {
    return this.#held;
  }

  /** Takes that many bytes, or nothing. */
  take(bytes: number): boolean {
    if (this.#held + bytes > this.#limit) return false;
    this.#held += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#held -= bytes;
  }
}

/** The part of the budget that one body holds, until it is released for good. */
export class Reservation {
  readonly #budget: BodyBudget;
  #held = 0;
  #isReleased = false;

  constructor(budget: BodyBudget) {
    this.#budget = budget;
  }

  /**
   * Grows to that many bytes in all; false where the budget does not allow it, and once it was
   * released: nobody would give back what is taken after that.
   */
  cover(bytes: number): boolean {
    if (this.#isReleased) return false;
    const more = bytes - this.#held;
    if (more <= 0) return true;
    if (!this.#budget.take(more)) return false;
    this.#held = bytes;
    return true;
  }

  /** Gives everything back. May be called twice. */
  release(): void {
    this.#budget.give(this.#held);
    this.#held = 0;
    this.#isReleased = true;
  }
}
