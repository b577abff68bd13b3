import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { MALLOC_ENV, NODE_FLAGS } from '../../../scripts/node-flags.ts';

const MAIN = fileURLToPath(new URL('../../../sidecar/dist/main.mjs', import.meta.url));

/** One line of the log. */
export interface LogLine {
  readonly level: string;
  readonly time: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface Readiness {
  readonly storage: 'noop' | 'up' | 'down';
  readonly driver: string;
  readonly reason: string | null;
  readonly last_write_age_seconds: number | null;
  readonly warnings: readonly string[];
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface StartOptions {
  readonly args?: readonly string[];
  readonly nodeFlags?: readonly string[];
  readonly cwd?: string;
  /** Does not wait until the listeners are bound; then `api` and `ops` fill in when they are. */
  readonly wait?: 'listening' | 'nothing';
}

/**
 * A real sidecar: the built bundle in a process of its own, on ports that the kernel chose, with
 * nothing in its environment but what is given and what the image sets.
 *
 *     await using sidecar = await startSidecar({ STORAGE_SQLITE_PATH: path });
 *     await sidecar.storage('up');
 *     await fetch(`${sidecar.api}/v1/audit-events`, ...);
 *     expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
 *
 * Leaving the scope kills it if it still runs.
 */
export class SidecarProcess {
  readonly child: ChildProcess;
  /** `http://127.0.0.1:40123`, once it listens. */
  api = '';
  ops = '';
  /** All lines so far. */
  readonly logs: LogLine[] = [];
  /** What is not a line of JSON on standard output, and all of standard error. */
  stray = '';
  /** Its end, when its last line has been read. */
  readonly exited: Promise<Exit>;

  constructor(child: ChildProcess) {
    this.child = child;
    this.exited = once(child, 'close').then(([code, signal]) => ({ code, signal }));
    let rest = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#take(line);
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stray += text;
    });
  }

  get pid(): number {
    return this.child.pid as number;
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Waits for a line of the log, one that is there already included. */
  async log(matches: (line: LogLine) => boolean, timeoutMs = 15_000): Promise<LogLine> {
    return this.#until(() => this.logs.find(matches), 'a line of the log', timeoutMs);
  }

  /** Waits until /readyz tells this state; answers its body. */
  async storage(state: Readiness['storage'], timeoutMs = 15_000): Promise<Readiness> {
    return this.#until(
      async () => {
        const readiness = await this.readiness();
        return readiness.storage === state ? readiness : undefined;
      },
      `storage ${state}`,
      timeoutMs,
    );
  }

  async readiness(): Promise<Readiness> {
    const response = await fetch(`${this.ops}/readyz`);
    return (await response.json()) as Readiness;
  }

  /** The lines of /metrics as a map from `name{labels}` to the value. */
  async metrics(): Promise<Map<string, number>> {
    const text = await (await fetch(`${this.ops}/metrics`)).text();
    const series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return new Map(
      series.map((line) => {
        const at = line.lastIndexOf(' ');
        return [line.slice(0, at), Number(line.slice(at + 1))];
      }),
    );
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** SIGTERM, and its end. */
  stop(): Promise<Exit> {
    this.signal('SIGTERM');
    return this.exited;
  }

  /** SIGKILL, and its end. */
  kill(): Promise<Exit> {
    this.signal('SIGKILL');
    return this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isRunning) await this.kill();
  }

  /** Waits until both listeners are bound, as far as they are to be. */
  async listening(names: readonly ('api' | 'ops')[]): Promise<void> {
    const bound = () => (names.every((name) => this[name] !== '') ? true : undefined);
    await this.#until(bound, 'the listeners', 15_000);
  }

  #take(line: string): void {
    try {
      const parsed = JSON.parse(line) as LogLine;
      this.logs.push(parsed);
      if (parsed.msg !== 'listening') return;
      const url = `http://${String(parsed.address).replace(/^\[::\]|^0\.0\.0\.0/, '127.0.0.1')}`;
      if (parsed.listener === 'api') this.api = url;
      else this.ops = url;
    } catch {
      this.stray += `${line}\n`;
    }
  }

  async #until<T>(
    look: () => T | undefined | Promise<T | undefined>,
    what: string,
    timeoutMs: number,
  ): Promise<T> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      const late = performance.now() > deadline;
      if (late || !this.isRunning) throw new Error(this.#story(what, late));
      await sleep(10);
    }
  }

  #story(what: string, late: boolean): string {
    const lines = this.logs.slice(-20).map((line) => JSON.stringify(line));
    const how = late ? 'did not come in time' : 'cannot come: the process has ended';
    return [`${what} ${how}; the last lines:`, ...lines, this.stray].join('\n');
  }
}

/** Starts the bundle without waiting for anything. */
export function spawnSidecar(
  env: Readonly<Record<string, string>>,
  options: StartOptions = {},
): SidecarProcess {
  const { args = [], nodeFlags = NODE_FLAGS, cwd } = options;
  const child = spawn(process.execPath, [...nodeFlags, MAIN, ...args], {
    env: {
      ...MALLOC_ENV,
      STORAGE_API_ADDRESS: '127.0.0.1:0',
      STORAGE_OPS_ADDRESS: '127.0.0.1:0',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(cwd !== undefined && { cwd }),
  });
  return new SidecarProcess(child);
}

/** Starts a sidecar and waits until it listens. */
export async function startSidecar(
  env: Readonly<Record<string, string>> = {},
  options: StartOptions = {},
): Promise<SidecarProcess> {
  const sidecar = spawnSidecar(env, options);
  if (options.wait === 'nothing') return sidecar;
  const names = env.STORAGE_OPS_ADDRESS === 'off' ? (['api'] as const) : (['api', 'ops'] as const);
  try {
    await sidecar.listening(names);
  } catch (error) {
    await sidecar[Symbol.asyncDispose]();
    throw error;
  }
  return sidecar;
}
