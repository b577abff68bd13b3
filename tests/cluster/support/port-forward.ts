import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { program } from '../../../scripts/tools/program.ts';
import { environment, type Namespace } from './namespace.ts';

/** A port of a Pod, reached through the API server as an operator reaches it. */
export class Forward {
  /** Such as `http://127.0.0.1:40123`. */
  readonly url: string;
  readonly #child: ChildProcess;

  constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#child = child;
  }

  /** GETs JSON. @throws with what was answered where that is no success */
  async json<T>(path: string): Promise<T> {
    const response = await fetch(this.url + path);
    const text = await response.text();
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  }

  async text(path: string): Promise<string> {
    return await (await fetch(this.url + path)).text();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill();
    await once(this.#child, 'close');
  }
}

/**
 * Forwards a free port of this machine to a port of a Pod; it ends with the Pod.
 *
 * @param target such as `pod/NAME` or `deploy/NAME`
 * @throws with what kubectl said where it cannot
 */
export async function portForward(
  namespace: Namespace,
  target: string,
  port: number,
): Promise<Forward> {
  const args = ['-n', namespace.name, 'port-forward', target, `:${port}`];
  const child = spawn(await program('kubectl'), args, { env: environment() });
  let output = '';
  const url = await new Promise<string>((resolve, reject) => {
    const take = (text: string) => {
      output += text;
      const local = /Forwarding from (127\.0\.0\.1:\d+)/.exec(output)?.[1];
      if (local !== undefined) resolve(`http://${local}`);
    };
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    child.on('error', reject);
    child.on('close', () => reject(new Error(`kubectl ${args.join(' ')} ended: ${output}`)));
  });
  return new Forward(url, child);
}
