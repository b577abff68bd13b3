import type { StorageStatus } from '../../recorder/submission.ts';

/**
 * The body of /readyz.
 *
 * @param amiss what is wrong with the process itself: its configuration, its listeners
 */
export function readiness(status: StorageStatus, amiss: readonly string[]): string {
  const { storage, driver, reason, lastWriteAgeSeconds, warnings } = status;
  return JSON.stringify({
    storage,
    driver,
    reason,
    // To the millisecond: more digits are noise.
    last_write_age_seconds:
      lastWriteAgeSeconds === null ? null : Math.round(lastWriteAgeSeconds * 1_000) / 1_000,
    warnings: [...amiss, ...warnings],
  });
}
