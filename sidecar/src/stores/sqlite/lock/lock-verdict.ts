import type { LockContent } from './lock-content.ts';
import type { ProcessIdentity } from './process-identity.ts';

/** How often a holder renews its lock. */
export const BEAT_MS = 1_000;

/** A lock that has not been renewed for so long is anybody's. */
export const STALE_MS = 5_000;

/**
 * A holder whose last good beat began longer ago stops writing: before {@link STALE_MS}, so that a
 * write under way ends before another sidecar may begin.
 */
export const OWN_LIMIT_MS = 4_000;

/** What a waiter knows of a lock that it does not hold. */
export interface Sighting {
  /** Undefined where the file holds nothing that a holder wrote. */
  readonly content: LockContent | undefined;
  /** For how long the waiter has seen the file unchanged, by its own clock. */
  readonly unchangedMs: number;
  /** The monotonic clock at this moment. */
  readonly nowMs: number;
}

/** Whether the holder's process can be looked up from here. */
export function isNeighbour(content: LockContent, self: ProcessIdentity): boolean {
  return (
    content.host === self.host &&
    content.boot === self.boot &&
    content.pidNamespace === self.pidNamespace
  );
}

/** Whether a lock may be taken over, its holder's process apart. */
export function isStale(sighting: Sighting, self: ProcessIdentity): boolean {
  const { content, unchangedMs, nowMs } = sighting;
  if (content === undefined) return unchangedMs >= STALE_MS;
  const sameBoot = self.boot !== '' && content.boot === self.boot;
  // Another boot's clock says nothing here, and a wall clock may step.
  const age = sameBoot ? Math.max(unchangedMs, nowMs - content.monotonicMs) : unchangedMs;
  return age >= STALE_MS;
}
