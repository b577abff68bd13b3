import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { program } from '../../../scripts/tools/program.ts';
import { environment, type Namespace } from './namespace.ts';

/**
 * What a container prints, from its start to its end. It outlives the Pod, whose log goes with it.
 *
 *     await using log = await followLog(namespace, pod, 'router');
 */
export class LogStream {
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  #text = '';

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#closed = once(child, 'close');
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      this.#text += chunk;
    });
  }

  /** What it has printed so far. */
  get text(): string {
    return this.#text;
  }

  /** Waits for the container's end, and tells all that it printed. */
  async ended(): Promise<string> {
    await this.#closed;
    return this.#text;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill();
    await this.#closed;
  }
}

/** Begins to follow a container that runs. */
export async function followLog(
  namespace: Namespace,
  pod: string,
  container: string,
): Promise<LogStream> {
  const args = ['-n', namespace.name, 'logs', '--follow', pod, '-c', container];
  const stdio = ['ignore', 'pipe', 'inherit'] as const;
  return new LogStream(
    spawn(await program('kubectl'), args, { env: environment(), stdio: [...stdio] }),
  );
}
