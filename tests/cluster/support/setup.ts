import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { program } from '../../../scripts/tools/program.ts';

const ROOT = new URL('../../../', import.meta.url).pathname;
// Beside a developer's own cluster (10.207) and the one that node.test.ts makes (10.208).
const PREFIX = '10.209';
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
 * names that the chart asks for, and ends it after them.
 *
 * With CLUSTER_KEEP=1 the cluster of `scripts/cluster up` is used, started if need be, and left running.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const isKept = process.env.CLUSTER_KEEP === '1';
  const work = await mkdtemp(join(tmpdir(), 'agenttier-cluster-'));
  const directory = isKept ? defaultDirectory() : join(work, 'cluster');
  const env = isKept ? {} : { CLUSTER_DIR: directory, CLUSTER_PREFIX: PREFIX };
  const run = (command: string, args: readonly string[], more = {}) =>
    execFileSync(command, args, {
      cwd: ROOT,
      stdio: ['ignore', 'inherit', 'inherit'],
      ...more,
      env: { ...process.env, ...env, ...(more as { env?: object }).env },
    });
  const teardown = async () => {
    if (!isKept) run('scripts/cluster', ['down']);
    await rm(work, { recursive: true, force: true });
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
    await teardown();
    throw error;
  }
  return teardown;
}

function defaultDirectory(): string {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  return process.env.CLUSTER_DIR ?? join(cache, 'agenttier-storage/cluster');
}
