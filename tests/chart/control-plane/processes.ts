import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GOGC } from '../../../scripts/tools/run.ts';

/**
 * Processes that share a temporary directory and end with this process, however it ends: the kernel
 * kills each at its parent's death, and a guard that waits for the end of a pipe takes the
 * directory away.
 */
export class Processes {
  readonly directory: string;
  readonly #children = new Map<string, ChildProcess>();
  readonly #guard: ChildProcess;

  private constructor(directory: string) {
    this.directory = directory;
    this.#guard = spawn('sh', ['-c', 'cat >/dev/null; sleep 1; rm -rf "$0"', directory], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    this.#guard.unref();
  }

  static async create(name: string): Promise<Processes> {
    return new Processes(await mkdtemp(join(tmpdir(), `${name}-`)));
  }

  /** Starts a program whose output goes to `<name>.log` in the directory. */
  start(name: string, program: string, args: readonly string[]): void {
    const log = openSync(join(this.directory, `${name}.log`), 'a');
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', program, ...args], {
      cwd: this.directory,
      env: { GOGC, ...process.env },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    // A program that is not there shows as ended, with the reason in failure().
    child.on('error', () => {});
    this.#children.set(name, child);
  }

  /**
   * The end of the log of the first process that has ended, or undefined while all of them run.
   */
  async failure(): Promise<string | undefined> {
    for (const [name, child] of this.#children) {
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) continue;
      const log = await readFile(join(this.directory, `${name}.log`), 'utf8');
      return `${name} ended with ${child.exitCode ?? child.signalCode}:\n${log.slice(-2000)}`;
    }
    return undefined;
  }

  /** Ends all, the last one started first, and removes the directory. */
  async stop(): Promise<void> {
    for (const child of [...this.#children.values()].reverse()) {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, 'exit');
      // They hold nothing that is worth a graceful end, and an API server ignores SIGTERM while it
      // waits for its store.
      child.kill('SIGKILL');
      await ended;
    }
    this.#children.clear();
    await rm(this.directory, { recursive: true, force: true });
    this.#guard.stdin?.end();
  }
}

/** Finds TCP ports on 127.0.0.1 that nobody listens on. Another process may take them first. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}
