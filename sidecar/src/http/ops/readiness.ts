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
    last_write_age_seconds: lastWriteAgeSeconds,
    warnings: [...amiss, ...warnings],
  });
}
