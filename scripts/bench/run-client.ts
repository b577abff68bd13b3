import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Job, Report, SinglesJob } from './jobs.ts';
import { percentile } from './statistics.ts';

const client = new URL('./client.ts', import.meta.url);
const wrkScript = fileURLToPath(new URL('./wrk.lua', import.meta.url));
const run = promisify(execFile);

/** Runs a job in a client process. Throws when any request failed. */
export async function runClient(job: Job): Promise<Report> {
  const child = fork(client, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the client of the job '${job.job}' ended with ${code}`);
  });
  const reported = once(child, 'message').then(([report]) => report as Report);
  child.send(job);
  const report = await Promise.race([reported, ended]);
  ended.catch(() => {});
  return failIfAny(report, job.job);
}

export interface Load {
  readonly requests: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/**
 * Posts single records as fast as they are taken, by wrk when it is installed (it needs a third of
 * a core for what takes the sidecar a whole one), else by our own client.
 */
export async function postSingles(job: SinglesJob): Promise<Load> {
  if (!(await hasWrk())) {
    const { requests, seconds, latenciesMs } = await runClient(job);
    const [p50Ms, p99Ms] = [percentile(latenciesMs, 50), percentile(latenciesMs, 99)];
    return { requests, seconds, p50Ms, p99Ms };
  }
  const { stdout } = await run('wrk', [
    ...['--threads', '1', '--connections', String(job.connections)],
    ...['--duration', `${job.seconds}s`, '--timeout', '30s', '--latency'],
    ...['--script', wrkScript, job.url, '--', job.bodies],
    ...(job.prefer === undefined ? [] : [job.prefer]),
  ]);
  return failIfAny(JSON.parse(stdout.trimEnd().split('\n').at(-1)!), 'wrk');
}

/** Whether wrk is installed, and so used. */
export function hasWrk(): Promise<boolean> {
  found ??= run('wrk', ['--version']).then(
    () => true,
    // It prints its version and then fails for want of a URL.
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  );
  return found;
}

let found: Promise<boolean> | undefined;

function failIfAny<T extends { requests: number; failed: number }>(report: T, who: string): T {
  if (report.failed === 0 && report.requests > 0) return report;
  throw new Error(`${who}: ${report.failed} of ${report.requests} requests failed`);
}
