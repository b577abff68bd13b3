import { onPath } from '../../../scripts/tools/cache.ts';

/**
 * Fails the test that needs a program which is not here: a test that passed over it would be green
 * without having seen anything.
 *
 * @param program its name on PATH
 * @param debian the package of Debian's that has it
 * @throws with the line that installs it
 */
export async function requireProgram(program: string, debian: string): Promise<void> {
  if ((await onPath([program])).length === 0) {
    throw new Error(`${program} is missing: apt-get install ${debian}`);
  }
}
