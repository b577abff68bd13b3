import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A fresh directory, without symbolic links in its path, that goes when the test ends. */
export function testDirectory(): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'agenttier-')));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
