import type { Connection } from '../engine/connection.ts';
import { readRows } from './read-rows.ts';
import { isCorruption } from './result-codes.ts';
import { applySettings } from './settings.ts';

/** Complaints about what a table holds, not about how the file is built. */
const CONTENT = /^(NULL value in|CHECK constraint failed in|NUMERIC value in|TEXT value in) /;

const MOST_PROBLEMS = 20;

/**
 * Reads the whole file and checks it (https://sqlite.org/pragma.html#pragma_integrity_check): some
 * seconds a gigabyte.
 *
 * @param connection fresh: its settings are made here, and already read the header
 * @returns what is damaged; empty when nothing is
 */
export function fullCheck(connection: Connection, cacheBytes: number): string[] {
  try {
    applySettings(connection, cacheBytes);
    return readRows(connection, `PRAGMA integrity_check(${MOST_PROBLEMS})`, 1)
      .map(([line]) => line ?? '')
      .filter((line) => line !== 'ok' && !CONTENT.test(line));
  } catch (error) {
    if (isCorruption(error)) return ['the file is damaged or not a database'];
    throw error;
  }
}
