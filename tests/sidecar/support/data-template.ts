import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Where the templates of a run of the tests are: a directory that everybody may enter. */
export const TEMPLATES = 'AGENTTIER_TEST_TEMPLATES';

const LOOK_MS = 50;

/**
 * Makes the data directory of a database server. That takes a second of the processor, so that a run of
 * the tests, all of its processes together, does it once for each name, and copies it from then on.
 *
 * @param name of what is made: a server and its version
 * @param target an existing directory
 * @param make makes it in a directory, which exists and has its owner
 * @param prepare gives an empty directory its owner
 */
export async function makeData(
  name: string,
  target: string,
  prepare: (directory: string) => Promise<void>,
  make: (directory: string) => Promise<void>,
): Promise<void> {
  const templates = process.env[TEMPLATES];
  if (templates === undefined) return make(target);
  const template = join(templates, name);
  const making = `${template}.making`;
  while (!existsSync(template)) {
    // Whoever makes the directory makes what belongs into it.
    const isMine = await mkdir(making).then(
      () => true,
      () => false,
    );
    if (!isMine) {
      await sleep(LOOK_MS);
      continue;
    }
    try {
      // It may have come between the look and now.
      if (existsSync(template)) await rm(making, { recursive: true });
      else {
        await prepare(making);
        await make(making);
        await rename(making, template);
      }
    } catch (error) {
      await rm(making, { recursive: true, force: true });
      throw error;
    }
  }
  await run('cp', ['--archive', '--reflink=auto', `${template}/.`, target]);
}
