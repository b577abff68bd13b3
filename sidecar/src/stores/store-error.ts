/**
 * - `transient`: trying again may help (connection refused, disk full, busy, timeout). The default.
 * - `data`: the database refuses a value in the batch; it will refuse it again.
 */
export type StoreErrorClass = 'transient' | 'data';

export interface StoreErrorOptions {
  readonly class?: StoreErrorClass;
  /**
   * Of an `append` that failed transiently: it may have been for how much it held (no answer in
   * time, a limit of room), so less may go through.
   */
  readonly tooLarge?: boolean;
  /** What to do about it, in one sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/**
 * A failure of a store, ready to be logged and shown in /readyz: the message says what was tried
 * and what came of it, and holds neither a secret nor a field of a record.
 */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly class: StoreErrorClass;
  readonly tooLarge: boolean;
  readonly hint: string | undefined;

  constructor(message: string, options: StoreErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.class = options.class ?? 'transient';
    this.tooLarge = options.tooLarge ?? false;
    this.hint = options.hint;
  }

  /** Message and hint, for a reader. */
  get reason(): string {
    return this.hint === undefined ? this.message : `${this.message}; ${this.hint}`;
  }
}
