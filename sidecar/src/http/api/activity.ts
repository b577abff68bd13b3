/** Tells how long nobody has sent records: a shutdown waits for that. */
export class Activity {
  #reading = 0;
  #lastAt = performance.now();

  /** A POST has arrived. */
  begin(): void {
    this.#reading += 1;
  }

  /** Its records are read, or refused; it may go on waiting for its answer. */
  end(): void {
    this.#reading -= 1;
    this.#lastAt = performance.now();
  }

  /** Milliseconds since the last body was read; 0 while one is. */
  get idleMs(): number {
    return this.#reading > 0 ? 0 : performance.now() - this.#lastAt;
  }
}
