import { counter, type Family, histogram, info } from '../../telemetry/exposition.ts';
import type { RequestStats } from '../request-stats.ts';

/** What the process counts of itself. */
export interface ServerFigures {
  readonly version: string;
  readonly requests: RequestStats;
  /** Bodies that were refused before their records were counted, by reason. */
  readonly refusedBodies: () => Readonly<Record<string, number>>;
  /** Backups, by how they ended. */
  readonly backups: () => Readonly<Record<string, number>>;
  /** Connections that were one too many, by listener. */
  readonly refusedConnections: Readonly<Record<string, number>>;
  /** Exceptions and rejections that nobody handled; the process went on. */
  readonly faults: () => number;
  /** Log lines that were thrown away because nobody read standard output. */
  readonly logLinesDropped: () => number;
}

export function serverFamilies(figures: ServerFigures): Family[] {
  const series = Array.from(figures.requests, ({ method, path, status, duration }) => ({
    labels: { method, route: path, status: String(status) },
    histogram: duration,
  }));
  return [
    histogram(
      'agenttier_storage_http_request_duration_seconds',
      'From the headers of a request to its answer, by route and status; waits included.',
      series,
    ),
    counter(
      'agenttier_storage_bodies_refused_total',
      'Bodies refused before their records were counted.',
      Object.entries(figures.refusedBodies()).map(([reason, value]) => ({
        labels: { reason },
        value,
      })),
    ),
    counter(
      'agenttier_storage_backups_total',
      'Backups, by whether all of one was sent.',
      Object.entries(figures.backups()).map(([outcome, value]) => ({ labels: { outcome }, value })),
    ),
    counter(
      'agenttier_storage_connections_refused_total',
      'Connections closed at once because too many were open, by listener.',
      Object.entries(figures.refusedConnections).map(([listener, value]) => ({
        labels: { listener },
        value,
      })),
    ),
    counter(
      'agenttier_storage_unhandled_errors_total',
      'Exceptions and rejections that nobody handled.',
      figures.faults(),
    ),
    counter(
      'agenttier_storage_log_lines_dropped_total',
      'Log lines thrown away because nobody read standard output.',
      figures.logLinesDropped(),
    ),
    info('agenttier_storage_build_info', 'The version of this build.', {
      version: figures.version,
    }),
  ];
}
