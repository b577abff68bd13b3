import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { MALLOC_ENV, NODE_FLAGS } from '../../scripts/node-flags.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface Ended {
  readonly code: number | null;
  /** Standard output and standard error. */
  readonly output: string;
}

/** The command that runs a sidecar, for Go tests that start some. */
export const SIDECAR_COMMAND = JSON.stringify([
  'env',
  ...Object.entries(MALLOC_ENV).map(([name, value]) => `${name}=${value}`),
  process.execPath,
  ...NODE_FLAGS,
  `${ROOT}sidecar/dist/main.mjs`,
]);

/**
 * Runs a program of the Go toolchain in a folder of the repository.
 *
 * @throws Error naming what to install where the program is missing
 */
export async function run(
  folder: string,
  program: 'go' | 'gofmt',
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const child = spawn(program, args, {
    cwd: `${ROOT}${folder}`,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, output };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new Error(
      `${program} is missing: install Go 1.25 or later from https://go.dev/dl, and gcc for its race detector (apt-get install gcc libc6-dev)`,
      { cause: error },
    );
  }
}

/** The race detector is C: without gcc Go says so, and what to install is added. */
export function withHint({ code, output }: Ended): string {
  const lacksGcc = /"gcc": executable file not found|requires cgo/.test(output);
  const hint = lacksGcc ? '\ninstall a C compiler: apt-get install gcc libc6-dev' : '';
  return `exit ${code}${code === 0 ? '' : `\n${output}`}${hint}`;
}
