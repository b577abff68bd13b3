import { readFileSync, type Stats, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';

/** A mounted Secret holds a line or two; anything larger is another file. */
const MAX_BYTES = 64 * 1024;

/**
 * Reads the text of a small regular file. Throws what node:fs throws, or an error with a code. Stands
 * still with a mount that hangs, so it is for the time before anything listens.
 */
export function readSmallFile(path: string): string {
  refuseUnlessSmall(statSync(path));
  return readFileSync(path, 'utf8');
}

/** The same without standing still; a mount that hangs is waited for without an end. */
export async function readSmallFileLater(path: string): Promise<string> {
  refuseUnlessSmall(await stat(path));
  return readFile(path, 'utf8');
}

function refuseUnlessSmall(stats: Stats): void {
  // Opening a FIFO would wait for its writer.
  if (!stats.isFile()) throw Object.assign(new Error('not a file'), { code: 'not a regular file' });
  if (stats.size > MAX_BYTES) {
    throw Object.assign(new Error('too large'), { code: `larger than ${MAX_BYTES} bytes` });
  }
}
