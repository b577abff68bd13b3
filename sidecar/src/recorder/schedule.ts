/** The recorder's figures: when it tries again, how much it commits at once, how often it looks. */
export interface Schedule {
  /**
   * Most rows of one commit. Past some thousands a commit's fixed cost (one fsync, one round trip)
   * is spread thin enough, and a larger one only makes the next request wait longer.
   */
  readonly batchRows: number;
  /**
   * Most bytes of one commit, for records with long texts: bounds the copy that travels to the
   * store, and the stretch for which one commit occupies it.
   */
  readonly batchBytes: number;

  /** So often rows are tried as they are while nothing says that they are too many for an attempt. */
  readonly wholeAttempts: number;
  /** Most successes that are waited for before an attempt may hold more again: some percent of time. */
  readonly growthPatience: number;

  /** Bound of the first retry's delay: about what a failover or a lock's release takes at best. */
  readonly firstRetryMs: number;
  /**
   * The delay's bound doubles up to this: rare enough for a server that is coming up, soon enough
   * for storage to be back within seconds of its cause being mended.
   */
  readonly maxRetryMs: number;
  /** Bound of the delay while closing: there will be no later chance. */
  readonly drainRetryMs: number;

  /** A store that proved no write for so long, having none to do, is asked for a trial write. */
  readonly probeAfterMs: number;
  /** A call to the store that takes longer means that storage is down, though nothing failed. */
  readonly stallMs: number;
  /** How often the watch looks for stalls, complaints and due trial writes. */
  readonly watchMs: number;
  /** While storage stays down for one reason, the log says so this often. */
  readonly repeatMs: number;
  /** What the store's close may take at least, even when the drain has used up the grace. */
  readonly closeStoreMs: number;
}

export const SCHEDULE: Schedule = {
  batchRows: 10_000,
  batchBytes: 2 * 1024 * 1024,
  wholeAttempts: 3,
  growthPatience: 64,
  firstRetryMs: 100,
  maxRetryMs: 5_000,
  drainRetryMs: 250,
  probeAfterMs: 60_000,
  stallMs: 10_000,
  watchMs: 5_000,
  repeatMs: 60_000,
  closeStoreMs: 500,
};

/** Buckets of a commit's duration in seconds: from an fsync of a fast disk to a hung one. */
export const COMMIT_SECONDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 10,
];
/** Buckets of a commit's size in rows, up to the cap. */
export const COMMIT_ROWS = [1, 3, 10, 30, 100, 300, 1_000, 3_000, SCHEDULE.batchRows];

/**
 * The delay before retry number `failures` (from 1), with full jitter: anywhere between nothing and
 * the doubling bound, so that sidecars which lost one server together do not return together.
 *
 * @param random uniform in [0, 1)
 */
export function retryDelay(
  schedule: Schedule,
  failures: number,
  draining: boolean,
  random: number,
): number {
  const bound = Math.min(schedule.maxRetryMs, schedule.firstRetryMs * 2 ** (failures - 1));
  return random * (draining ? Math.min(bound, schedule.drainRetryMs) : bound);
}

/** A client that is refused while storage works should come back soon: a commit makes room. */
const RETRY_AFTER_UP = 1;
const RETRY_AFTER_DOWN_MIN = 2;
const RETRY_AFTER_MAX = 30;

/**
 * Seconds for Retry-After. An outage that has lasted is likely to last on, so the advice grows with
 * it.
 *
 * @param downSeconds how long storage has been down, or undefined while it is up
 */
export function retryAfter(downSeconds: number | undefined): number {
  if (downSeconds === undefined) return RETRY_AFTER_UP;
  return Math.min(RETRY_AFTER_MAX, Math.max(RETRY_AFTER_DOWN_MIN, Math.ceil(downSeconds)));
}
