import { SLICE_MS } from './limits.ts';

/**
 * Shares the thread among bodies that take long: each works for a slice, then waits for its turn.
 * One turn is given per round of the event loop, so that sockets are served between any two.
 */
export class Turns {
  readonly #waiting: (() => void)[] = [];
  #sliceEndsAt = 0;

  /** Call when work on a body begins or goes on after waiting for something else. */
  begin(): void {
    this.#sliceEndsAt = performance.now() + SLICE_MS;
  }

  /** Whether the slice is used up. */
  get over(): boolean {
    return performance.now() >= this.#sliceEndsAt;
  }

  /** Resolves when the next slice begins. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length === 1) setImmediate(this.#grant);
    });
  }

  readonly #grant = (): void => {
    const resolve = this.#waiting.shift();
    if (this.#waiting.length > 0) setImmediate(this.#grant);
    this.begin();
    resolve?.();
  };
}
