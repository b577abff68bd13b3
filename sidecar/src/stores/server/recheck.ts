const EVERY_MS = 60_000;

/**
 * Says when tables are due for another look. Somebody may alter them while a sidecar runs, to columns
 * that lack the room for a record or mangle its texts. A trial write looks each time; where records go
 * on there is none, and a look at each batch would cost more than the batch.
 */
export class Recheck {
  readonly #everyMs: number;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(everyMs = EVERY_MS) {
    this.#everyMs = everyMs;
  }

  get isDue(): boolean {
    return performance.now() - this.#lookedAt >= this.#everyMs;
  }

  /** The tables were looked at, and are sound. */
  done(): void {
    this.#lookedAt = performance.now();
  }
}
