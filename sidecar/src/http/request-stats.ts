import { Histogram } from '../telemetry/histogram.ts';

/** From a tenth of a millisecond, which a 202 takes, to the longest wait that is granted. */
const BOUNDS_SECONDS = [
  0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
  10, 30, 60,
];

/** How long the requests of one route took that were answered with one status. */
export interface RequestStat {
  /** As the table of routes has it; `other` where no route matched. */
  readonly method: string;
  readonly path: string;
  readonly status: number;
  /** Seconds from the request's headers to the answer, waits included. */
  readonly duration: Histogram;
}

/** Request durations by route and status, read at scrape time by iterating. */
export class RequestStats {
  /** By route, then by status; holes until they are needed. */
  readonly #stats: RequestStat[][] = [];

  /**
   * @param route {@link NO_ROUTE} where none matched
   * @param seconds from the request's headers to the answer
   */
  observe(route: RouteLabel, status: number, seconds: number): void {
    let byStatus = this.#stats[route.index];
    if (byStatus === undefined) {
      byStatus = [];
      this.#stats[route.index] = byStatus;
    }
    let stat = byStatus[status];
    if (stat === undefined) {
      const duration = new Histogram(BOUNDS_SECONDS);
      stat = { method: route.method, path: route.path, status, duration };
      byStatus[status] = stat;
    }
    stat.duration.observe(seconds);
  }

  *[Symbol.iterator](): Generator<RequestStat> {
    for (const byStatus of this.#stats) {
      if (byStatus === undefined) continue;
      for (const status in byStatus) yield byStatus[status] as RequestStat;
    }
  }
}

/** A route as the metrics name it. */
export interface RouteLabel {
  readonly index: number;
  readonly method: string;
  readonly path: string;
}

/** Where no route matched, whatever was asked for: a label must not grow with what callers send. */
export const NO_ROUTE: RouteLabel = { index: 0, method: 'other', path: 'other' };
