import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { program } from '../../../scripts/tools/program.ts';
import { environment, type Namespace } from './namespace.ts';

/** Watches whether a Pod is ready, and how long it was not. */
export class ReadyWatch {
  readonly #child: ChildProcess;
  /** Times in milliseconds at which the Pod was seen to change. */
  readonly #changes: { at: number; isReady: boolean }[] = [];

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.split('\n')) {
        const isReady = line === 'True';
        if (line === '' || this.#changes.at(-1)?.isReady === isReady) continue;
        this.#changes.push({ at: performance.now(), isReady });
      }
    });
  }

  /** Milliseconds for which the Pod was not ready, in all. */
  get awayMs(): number {
    let sum = 0;
    for (const [index, { at, isReady }] of this.#changes.entries()) {
      if (!isReady) sum += (this.#changes[index + 1]?.at ?? performance.now()) - at;
    }
    return Math.round(sum);
  }

  /** How often it ceased to be ready. */
  get timesAway(): number {
    return this.#changes.filter(({ isReady }) => !isReady).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill();
    await once(this.#child, 'close');
  }
}

/** Begins to watch a Pod. */
export async function watchReadiness(namespace: Namespace, pod: string): Promise<ReadyWatch> {
  const path = '{range .status.conditions[?(@.type=="Ready")]}{.status}{"\\n"}{end}';
  const args = ['-n', namespace.name, 'get', 'pod', pod, '--watch', '-o', `jsonpath=${path}`];
  const stdio = ['ignore', 'pipe', 'inherit'] as const;
  const child = spawn(await program('kubectl'), args, { env: environment(), stdio: [...stdio] });
  const watch = new ReadyWatch(child);
  if (child.stdout !== null) await once(child.stdout, 'data');
  return watch;
}
