import { spawn } from 'node:child_process';

/** What a program printed and how it ended. */
export interface Outcome {
  /** The exit status; 128 for a signal. */
  status: number;
  stdout: string;
  stderr: string;
}

/** How a program is run. */
export interface RunOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  stdin?: string;
}

/**
 * How much more than what is in use Go lets its heap grow, in percent. At its default of 100 the Go
 * compiler, Helm and Kubernetes spend a quarter of their time on collecting garbage.
 */
export const GOGC = '400';

/** For a program that ends soon: no collection before it has taken much more than it should. */
const GO_ONCE = { GOGC: 'off', GOMEMLIMIT: '512MiB' };

/**
 * Runs a program to its end.
 *
 * @throws when it cannot be started; a status other than 0 is no error here
 */
export function run(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...GO_ONCE, ...(options.env ?? process.env) },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ status: code ?? 128, stdout, stderr }));
    // A program that ends without reading its input closes the pipe; its status says the rest.
    child.stdin.on('error', () => {});
    child.stdin.end(options.stdin ?? '');
  });
}

/**
 * Runs a program that has to succeed, and returns what it printed.
 *
 * @throws with all that it printed when its status is not 0
 */
export async function mustRun(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const { status, stdout, stderr } = await run(program, args, options);
  if (status !== 0) {
    throw new Error(
      `${program} ${args.join(' ')} ended with status ${status}:\n${stdout}${stderr}`,
    );
  }
  return stdout;
}
