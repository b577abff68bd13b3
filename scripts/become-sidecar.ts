import { fileURLToPath } from 'node:url';
import { MALLOC_ENV, NODE_FLAGS } from './node-flags.ts';

const MAIN = fileURLToPath(new URL('../sidecar/dist/main.mjs', import.meta.url));

/**
 * Replaces this process by the sidecar's bundle, so that signals and the exit code are its own.
 *
 * @param args of the sidecar, such as `--check`
 */
export function becomeSidecar(env: NodeJS.ProcessEnv, args: readonly string[]): void {
  const { execPath } = process;
  if (process.execve === undefined)
    throw new Error('this needs Linux, macOS or another POSIX system');
  process.execve(execPath, [execPath, ...NODE_FLAGS, MAIN, ...args], { ...MALLOC_ENV, ...env });
}
