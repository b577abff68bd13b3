/**
 * What the host below SQLite knows of itself: whether the disk can still be trusted to hold what
 * SQLite believes it holds, and the code of the last call that failed.
 */
export class HostHealth {
  #sound = true;
  #code: string | undefined;

  /** See {@link Connection.sound}. */
  get sound(): boolean {
    return this.#sound;
  }

  /** The last failed call's code since {@link forget}. */
  get code(): string | undefined {
    return this.#code;
  }

  failed(code: string | undefined): void {
    this.#code = code ?? 'EIO';
  }

  /** From here on nothing is written any more: the connection has to be opened anew. */
  distrust(): void {
    this.#sound = false;
  }

  /** A call of SQLite's succeeded: earlier failures of the host did not matter to it. */
  forget(): void {
    this.#code = undefined;
  }
}
