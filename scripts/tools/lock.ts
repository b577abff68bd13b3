import { mustRun } from './run.ts';

/**
 * Runs a shell script while no other caller of the same lock runs: the kernel frees the lock when
 * its holder ends, however it ends.
 *
 * @param lock the lock file, made when missing
 * @param script the text of a bash script; it checks first whether its work was done meanwhile
 * @param args its positional parameters from $1 on
 * @throws with what the script printed when it fails
 */
export async function locked(
  lock: string,
  script: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<void> {
  await mustRun('flock', [lock, 'bash', '-euo', 'pipefail', '-c', script, 'locked', ...args], {
    env,
  });
}
