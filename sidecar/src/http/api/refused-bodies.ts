/**
 * - in_flight: too many bytes of other bodies were being read (503);
 * - too_large: more bytes or records than a request may have (413);
 * - unreadable: broken off, or no JSON (400);
 * - query: a POST takes no query parameters (400);
 * - pipelined: behind too many others that waited, or behind an Upgrade, on a connection that was ended.
 */
export type BodyRefusal = 'in_flight' | 'too_large' | 'unreadable' | 'query' | 'pipelined';

/**
 * Counts the bodies whose records nobody counts, because they were refused before these were known.
 * Together with the account of the records it tells all that was turned away of what was to be read; of
 * the rest, such as a body of another type, the durations of requests tell, by status.
 */
export class RefusedBodies {
  readonly #counts: Record<BodyRefusal, number> = {
    in_flight: 0,
    too_large: 0,
    unreadable: 0,
    query: 0,
    pipelined: 0,
  };

  get counts(): Readonly<Record<BodyRefusal, number>> {
    return this.#counts;
  }

  add(reason: BodyRefusal): void {
    this.#counts[reason] += 1;
  }

  /** @param status with which a body that was being read was answered */
  addRead(status: number): void {
    this.add(status === 503 ? 'in_flight' : status === 413 ? 'too_large' : 'unreadable');
  }
}
