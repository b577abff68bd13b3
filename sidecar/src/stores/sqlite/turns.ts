/** Lets several loops share one resource a piece at a time, each in its turn. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs the work once everybody who asked before has finished. */
  take<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }
}
