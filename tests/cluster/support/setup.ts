import { execFileSync, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { program } from '../../../scripts/tools/program.ts';
import { type ApiProxy, startApiProxy } from './api-proxy.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
// Beside a developer's own cluster (10.207) and the one that node.test.ts makes (10.208).
const PREFIX = '10.209';
const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'agenttier-storage');
const ROUTER = 'ghcr.io/agenttier/router:v0.8.1';

/** What tests need to reach the cluster. */
export interface ClusterAccess {
  kubeconfig: string;
  /** A home directory for Helm and kubectl, without anybody's settings. */
  home: string;
  /** Where the API server answers without a login. */
  api: string;
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
  const run = async (command: string, args: readonly string[], options: SpawnOptions = {}) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      stdio: ['ignore', 'inherit', 'inherit'],
      ...options,
      env: { ...process.env, ...env, ...options.env },
    });
    const [code] = await once(child, 'close');
    if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}`);
  };
  const release = isKept ? () => {} : await claimAddresses();
  const work = await mkdtemp(join(tmpdir(), 'agenttier-cluster-'));
  let proxy: ApiProxy | undefined;
  const teardown = async () => {
    await proxy?.stop();
    try {
      if (!isKept) await run('scripts/cluster', ['down']);
    } finally {
      await rm(work, { recursive: true, force: true });
      release();
    }
  };

  try {
    for (const name of ['helm3', 'helm4', 'kubectl'] as const) await program(name);
    const router = join(work, 'router');
    const build = async () => {
      await run('go', ['build', '-trimpath', '-ldflags', '-s -w', '-o', router, '.'], {
        cwd: join(ROOT, 'tests/e2e/router'),
        env: { CGO_ENABLED: '0' },
      });
      await run('scripts/image', ['--local-base'], { stdio: ['ignore', 'ignore', 'inherit'] });
    };
    const up = async () => {
      if (isKept && existsSync(join(directory, 'kubeconfig'))) return;
      await run('scripts/cluster', ['up']);
    };
    // Both to their ends, so that nothing is under way when the cluster is taken down.
    for (const each of await Promise.allSettled([build(), up()])) {
      if (each.status === 'rejected') throw each.reason;
    }
    const image = execFileSync(process.execPath, ['scripts/image-name.ts'], { cwd: ROOT });
    await run('scripts/cluster', ['load', image.toString().trim()]);
    await run('scripts/cluster', ['load', ROUTER, router]);
    const home = join(work, 'home');
    await mkdir(home);
    const kubeconfig = join(directory, 'kubeconfig');
    proxy = await startApiProxy({ PATH: process.env.PATH, HOME: home, KUBECONFIG: kubeconfig });
    project.provide('cluster', { kubeconfig, home, api: proxy.url, env });
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

/**
 * Keeps two runs from ending each other's cluster, which has one block of addresses. A socket of the
 * kernel's own name space goes with its process, however that ends, and no file tells of it.
 *
 * @returns what gives the addresses back
 */
async function claimAddresses(): Promise<() => void> {
  const claim = createServer().unref();
  try {
    await once(claim.listen(`\0agenttier-cluster-${PREFIX}`), 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw new Error("another run of the cluster's tests goes on; wait for it, or end it");
  }
  return () => claim.close();
}
