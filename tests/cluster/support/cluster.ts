import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const COMMAND = fileURLToPath(new URL('../../../scripts/cluster', import.meta.url));

/** scripts/cluster with a directory and addresses of its own, beside any other that runs. */
export class Cluster {
  readonly #env: NodeJS.ProcessEnv;
  readonly #directory: string;

  /** @param prefix the first half of its addresses, such as `10.208` */
  constructor(directory: string, prefix: string) {
    this.#directory = directory;
    this.#env = {
      ...process.env,
      CLUSTER_PROVIDER: 'node',
      CLUSTER_DIR: directory,
      CLUSTER_PREFIX: prefix,
      KUBECONFIG: `${directory}/kubeconfig`,
      KUBECACHEDIR: `${directory}/kubectl-cache`,
    };
  }

  /** @returns what the command printed @throws with what it said when it fails */
  run(...args: readonly string[]): string {
    return execFileSync(COMMAND, args, { env: this.#env, encoding: 'utf8' });
  }

  kubectl(args: readonly string[], input = ''): string {
    return execFileSync(`${this.#directory}/bin/kubectl`, args, {
      env: this.#env,
      encoding: 'utf8',
      input,
    });
  }
}
