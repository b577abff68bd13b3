import { readFileSync, statSync } from 'node:fs';

/** A mounted Secret holds a line or two; anything larger is another file. */
const MAX_BYTES = 64 * 1024;

/** Reads the text of a small regular file. Throws what node:fs throws, or an error with a code. */
export function readSmallFile(path: string): string {
  const stats = statSync(path);
  // Opening a FIFO would wait for its writer.
  if (!stats.isFile()) throw Object.assign(new Error('not a file'), { code: 'not a regular file' });
  if (stats.size > MAX_BYTES) {
    throw Object.assign(new Error('too large'), { code: `larger than ${MAX_BYTES} bytes` });
  }
  return readFileSync(path, 'utf8');
}
