/** How long equal errors are gathered into one line. */
const INTERVAL_MS = 60_000;
/** Different errors told apart at a time; more are folded into one. */
const MAX_KEYS = 100;

interface Folded {
  repeated: number;
  tell: (repeated: number) => void;
}

/**
 * Folds a storm of equal errors: the first is told at once, those that follow are counted, and
 * their number is told once an interval until the storm is over.
 *
 *     const fold = new Fold();
 *     fold.tell(code, (repeated) => log.error({ code, repeated }, 'accept failed'));
 */
export class Fold {
  readonly #intervalMs: number;
  readonly #folded = new Map<string, Folded>();

  constructor(intervalMs = INTERVAL_MS) {
    this.#intervalMs = intervalMs;
  }

  /**
   * @param key what makes two errors equal
   * @param tell writes the line; `repeated` counts the equal errors since the last line
   */
  tell(key: string, tell: (repeated: number) => void): void {
    const known = this.#folded.has(key) || this.#folded.size < MAX_KEYS ? key : '';
    const folded = this.#folded.get(known);
    if (folded !== undefined) {
      folded.repeated += 1;
      folded.tell = tell;
      return;
    }
    this.#folded.set(known, { repeated: 0, tell });
    tell(0);
    this.#wait(known);
  }

  #wait(key: string): void {
    setTimeout(() => this.#elapsed(key), this.#intervalMs).unref();
  }

  #elapsed(key: string): void {
    const folded = this.#folded.get(key);
    if (folded === undefined) return;
    if (folded.repeated === 0) {
      this.#folded.delete(key);
      return;
    }
    const { repeated } = folded;
    folded.repeated = 0;
    folded.tell(repeated);
    this.#wait(key);
  }
}
