import pino from 'pino';
import type { LogSink } from './log-sink.ts';

/** The levels of pino, from the quietest to the loudest. */
export const LOG_LEVELS = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * What the parts may log with: fields first, then a sentence that does not vary. One line a state
 * change, none a record; no field of a record, no body and no secret, ever.
 */
export type Log = Pick<pino.Logger, 'debug' | 'info' | 'warn' | 'error'>;

/** Creates the log: JSON lines with the level's name and an ISO time. */
export function createLog(level: LogLevel, sink: LogSink): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    sink,
  );
}
