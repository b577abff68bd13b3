import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A directory of a test's own, removed when the scope is left.
 *
 *     await using directory = await temporaryDirectory();
 *     const path = directory.path('agenttier.db');
 */
export async function temporaryDirectory() {
  const root = await mkdtemp(join(tmpdir(), 'agenttier-'));
  return {
    root,
    path: (...names: string[]) => join(root, ...names),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true, maxRetries: 3 }),
  };
}
