import { hostError } from '../files/errno.ts';

/**
 * Keeps the end of a connection from changing a file found damaged: SQLite would move the WAL into
 * it, or delete it.
 */
export class Seal {
  readonly #inner: (() => void) | undefined;
  closed = false;

  /** @param inner what else forbids changes, by throwing */
  constructor(inner?: () => void) {
    this.#inner = inner;
  }

  /** For `beforeWrite` of the connection. */
  readonly check = (): void => {
    if (this.closed) throw hostError('EROFS');
    this.#inner?.();
  };
}
