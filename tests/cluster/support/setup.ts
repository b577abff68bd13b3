import { type ExecFileSyncOptions, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { program } from '../../../scripts/tools/program.ts';

const ROOT = new URL('../../../', import.meta.url).pathname;
// Beside a developer's own cluster (10.207) and the one that node.test.ts makes (10.208).
const PREFIX = '10.209';
const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'agenttier-storage');
const ROUTER = 'ghcr.io/agenttier/router:v0.8.1';

/** What tests need to reach the cluster. */
export interface ClusterAccess {
  kubeconfig: string;
  /** A home directory for Helm and kubectl, without anybody's settings. */
  home: string;
  /** The environment by which scripts/cluster finds the cluster. */
  env: Record<string, string>;
}

declare module 'vitest' {
  interface ProvidedContext {
    cluster: ClusterAccess;
  }
}

/**
 * Gives all test files one cluster that has the sidecar's image and the stand-in Router's under the
 * names that the chart asks for, and ends it after them. One that an interrupted run left is replaced.
 *
 * With CLUSTER_KEEP=1 the cluster of `scripts/cluster up` is used, started if need be, and left running.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const isKept = process.env.CLUSTER_KEEP === '1';
  const directory = isKept ? keptDirectory() : join(cache, 'cluster-of-tests');
  const env = isKept ? {} : { CLUSTER_DIR: directory, CLUSTER_PREFIX: PREFIX };
  const run = (command: string, args: readonly string[], options: ExecFileSyncOptions = {}) =>
    execFileSync(command, args, {
      cwd: ROOT,
      stdio: ['ignore', 'inherit', 'inherit'],
      ...options,
      env: { ...process.env, ...env, ...options.env },
    });
  const release = isKept ? async () => {} : await claimAddresses(`${directory}.owner`);
  const work = await mkdtemp(join(tmpdir(), 'agenttier-cluster-'));
  const teardown = async () => {
    try {
      if (!isKept) run('scripts/cluster', ['down']);
    } finally {
      await rm(work, { recursive: true, force: true });
      await release();
    }
  };

  try {
    for (const name of ['helm3', 'helm4', 'kubectl'] as const) await program(name);
    const router = join(work, 'router');
    run('go', ['build', '-trimpath', '-ldflags', '-s -w', '-o', router, '.'], {
      cwd: join(ROOT, 'tests/e2e/router'),
      env: { CGO_ENABLED: '0' },
    });
    run('scripts/image', ['--local-base'], { stdio: ['ignore', 'ignore', 'inherit'] });
    const image = execFileSync(process.execPath, ['scripts/image-name.ts'], { cwd: ROOT });
    if (!(isKept && existsSync(join(directory, 'kubeconfig')))) run('scripts/cluster', ['up']);
    run('scripts/cluster', ['load', image.toString().trim()]);
    run('scripts/cluster', ['load', ROUTER, router]);
    const home = join(work, 'home');
    await mkdir(home);
    project.provide('cluster', { kubeconfig: join(directory, 'kubeconfig'), home, env });
  } catch (error) {
    // What went wrong first is what has to be told.
    await teardown().catch(() => {});
    throw error;
  }
  return teardown;
}

function keptDirectory(): string {
  return process.env.CLUSTER_DIR ?? join(cache, 'cluster');
}

/** Keeps two runs from ending each other's cluster, which has one block of addresses. */
async function claimAddresses(path: string): Promise<() => Promise<void>> {
  const owner = Number(await readFile(path, 'utf8').catch(() => '0'));
  if (owner > 0 && existsSync(`/proc/${owner}`)) {
    throw new Error(`process ${owner} runs the cluster's tests already; wait for it, or end it`);
  }
  await mkdir(cache, { recursive: true });
  await writeFile(path, String(process.pid));
  return () => rm(path, { force: true });
}
