import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { program } from '../../../scripts/tools/program.ts';

/** The API server of the cluster at an address of this machine that asks for no login. */
export interface ApiProxy {
  /** Such as `http://127.0.0.1:40123`. */
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * Starts `kubectl proxy`: a look through it takes a thousandth of the processor's time that a process of
 * kubectl takes.
 *
 * @throws with what kubectl said where it cannot
 */
export async function startApiProxy(env: NodeJS.ProcessEnv): Promise<ApiProxy> {
  const child = spawn(await program('kubectl'), ['proxy', '--port=0'], { env });
  return { url: await served(child), stop: () => stop(child) };
}

async function served(child: ChildProcess): Promise<string> {
  let output = '';
  return new Promise((resolve, reject) => {
    const take = (text: string) => {
      output += text;
      const address = /Starting to serve on (127\.0\.0\.1:\d+)/.exec(output)?.[1];
      if (address !== undefined) resolve(`http://${address}`);
    };
    child.stdout?.setEncoding('utf8').on('data', take);
    child.stderr?.setEncoding('utf8').on('data', take);
    child.on('error', reject);
    child.on('close', () => reject(new Error(`kubectl proxy ended: ${output}`)));
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill();
  await once(child, 'close');
}
