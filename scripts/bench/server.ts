import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { MALLOC_ENV, NODE_FLAGS } from '../node-flags.ts';
import { cpuSeconds, type Memory, memory } from './proc.ts';

const READY_WITHIN_MS = 30_000;
const POLL_MS = 5;

/** A server under measurement, in a process of its own. */
export interface Server {
  /** Where it takes records, without a trailing slash. */
  readonly api: string;
  /** Where /readyz and /metrics are; the same as `api` for a server that has neither. */
  readonly ops: string;
  /** From the start of the process until it was ready, storage included. */
  readonly startMs: number;
  cpuSeconds(): number;
  memory(): Memory;
  /** Ends it by SIGTERM. Throws when it had ended by itself, or does not end cleanly. */
  stop(): Promise<void>;
}

/**
 * Starts the bundled sidecar as the image does.
 *
 * @param sqlitePath where the database is; the no-op when absent
 */
export async function startSidecar(bundle: string, sqlitePath?: string): Promise<Server> {
  const [api, ops] = [await freePort(), await freePort()];
  return start({
    args: [bundle],
    env: {
      STORAGE_API_ADDRESS: `127.0.0.1:${api}`,
      STORAGE_OPS_ADDRESS: `127.0.0.1:${ops}`,
      ...(sqlitePath === undefined ? {} : { STORAGE_SQLITE_PATH: sqlitePath }),
    },
    api: `http://127.0.0.1:${api}`,
    ops: `http://127.0.0.1:${ops}`,
    isReady: async (url) => {
      const status = await (await fetch(`${url}/readyz`)).json();
      return isRecord(status) && (status.storage === 'up' || status.storage === 'noop');
    },
  });
}

/** Starts the server that does the least: see bare-server.ts. */
export async function startBare(bundle: string): Promise<Server> {
  const url = `http://127.0.0.1:${await freePort()}`;
  return start({
    args: [bundle],
    env: { PORT: new URL(url).port },
    api: url,
    ops: url,
    isReady: async () => (await fetch(url)).status > 0,
  });
}

async function start(options: {
  args: readonly string[];
  env: Record<string, string>;
  api: string;
  ops: string;
  isReady: (ops: string) => Promise<boolean>;
}): Promise<Server> {
  const started = performance.now();
  const child = spawn(process.execPath, [...NODE_FLAGS, ...options.args], {
    env: { PATH: process.env.PATH ?? '', ...MALLOC_ENV, ...options.env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  children.add(child);
  child.on('exit', () => children.delete(child));
  const { pid } = child;
  if (pid === undefined) throw new Error(`cannot start ${options.args.join(' ')}`);
  while (!(await options.isReady(options.ops).catch(() => false))) {
    if (hasEnded(child)) throw new Error(`${options.args.join(' ')} ended before it was ready`);
    if (performance.now() - started > READY_WITHIN_MS) {
      child.kill('SIGKILL');
      throw new Error(`${options.args.join(' ')} was not ready within ${READY_WITHIN_MS / 1000} s`);
    }
    await sleep(POLL_MS);
  }
  return {
    api: options.api,
    ops: options.ops,
    startMs: performance.now() - started,
    cpuSeconds: () => cpuSeconds(pid),
    memory: () => memory(pid),
    async stop() {
      if (hasEnded(child)) throw new Error('the server ended by itself');
      child.kill('SIGTERM');
      const [code, signal] = await once(child, 'exit');
      if (code !== 0) throw new Error(`the server ended with ${code ?? signal}`);
    },
  };
}

/** Ends what a failed measurement left running. */
export function killServers(): void {
  for (const child of children) child.kill('SIGKILL');
}

const children = new Set<ChildProcess>();

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
