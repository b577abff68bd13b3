/**
 * - in_flight: too many bytes of other bodies were being read (503);
 * - too_large: more bytes or records than a request may have (413);
 * - unreadable: broken off, or no JSON (400).
 */
export type BodyRefusal = 'in_flight' | 'too_large' | 'unreadable';

/**
 * Counts the bodies whose records nobody counts, because they were refused before these were known.
 * Together with the account of the records it tells all that was turned away.
 */
export class RefusedBodies {
  readonly #counts: Record<BodyRefusal, number> = { in_flight: 0, too_large: 0, unreadable: 0 };

  get counts(): Readonly<Record<BodyRefusal, number>> {
    return this.#counts;
  }

  /** @param status of the answer */
  add(status: number): void {
    const reason = status === 503 ? 'in_flight' : status === 413 ? 'too_large' : 'unreadable';
    this.#counts[reason] += 1;
  }
}
