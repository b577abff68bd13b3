/**
 * Counts the bytes of all pages that are being read or sent, and lets lists wait in line where they
 * would exceed one limit together: a client that asks for many pages and reads none of them would
 * else have all of them held for it.
 */
export class PageBudget {
  readonly #limit: number;
  readonly #waiting: { readonly bytes: number; readonly grant: () => void }[] = [];
  #held = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes that pages hold at the moment. */
  get held(): number {
    return this.#held;
  }

  /**
   * Takes a share of so many bytes, at most the limit, as soon as there is room for it and for all
   * who asked before.
   *
   * @param signal gives up the place in the line; the promise never resolves then
   */
  take(bytes: number, signal: AbortSignal): Promise<PageShare> {
    return new Promise((resolve) => {
      const place = { bytes, grant: () => resolve(new PageShare(this, bytes)) };
      this.#waiting.push(place);
      signal.addEventListener('abort', () => {
        const at = this.#waiting.indexOf(place);
        if (at === -1) return;
        this.#waiting.splice(at, 1);
        this.#grant();
      });
      this.#grant();
    });
  }

  /** For {@link PageShare}. */
  give(bytes: number): void {
    this.#held -= bytes;
    this.#grant();
  }

  #grant(): void {
    for (let [first] = this.#waiting; first !== undefined; [first] = this.#waiting) {
      if (this.#held + first.bytes > this.#limit) return;
      this.#waiting.shift();
      this.#held += first.bytes;
      first.grant();
    }
  }
}

/** What one page holds of the budget. */
export class PageShare {
  readonly #budget: PageBudget;
  #bytes: number;

  constructor(budget: PageBudget, bytes: number) {
    this.#budget = budget;
    this.#bytes = bytes;
  }

  /** Gives back all but so many bytes. */
  shrink(bytes: number): void {
    const less = this.#bytes - bytes;
    if (less <= 0) return;
    this.#bytes = bytes;
    this.#budget.give(less);
  }
}
