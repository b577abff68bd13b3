import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { program } from '../../../scripts/tools/program.ts';
import { environment, type Namespace } from './namespace.ts';

interface Condition {
  type: string;
  status: string;
}

/** Watches whether a Pod is ready, and how long it was not. */
export class ReadyWatch {
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  readonly #changes: { at: number; isReady: boolean }[] = [];

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#closed = once(child, 'close');
  }

  /** Notes what a condition is now. */
  note(isReady: boolean): void {
    if (this.#changes.at(-1)?.isReady === isReady) return;
    this.#changes.push({ at: performance.now(), isReady });
  }

  /** Milliseconds for which the Pod was not ready, in all. */
  get awayMs(): number {
    let sum = 0;
    for (const [index, { at, isReady }] of this.#changes.entries()) {
      if (!isReady) sum += (this.#changes[index + 1]?.at ?? performance.now()) - at;
    }
    return Math.round(sum);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill();
    await this.#closed;
  }
}

/** Begins to watch a Pod. */
export async function watchReadiness(namespace: Namespace, pod: string): Promise<ReadyWatch> {
  const path = `/api/v1/namespaces/${namespace.name}/pods?watch=1&fieldSelector=metadata.name%3D${pod}`;
  const child = spawn(await program('kubectl'), ['get', '--raw', path], { env: environment() });
  child.stderr.resume();
  const watch = new ReadyWatch(child);
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    const conditions: Condition[] = JSON.parse(line).object.status?.conditions ?? [];
    watch.note(conditions.some(({ type, status }) => type === 'Ready' && status === 'True'));
  });
  await once(lines, 'line');
  return watch;
}
