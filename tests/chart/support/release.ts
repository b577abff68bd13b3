import { join } from 'node:path';
import { program } from '../../../scripts/tools/program.ts';
import { type Outcome, run } from '../../../scripts/tools/run.ts';
import type { ControlPlane } from '../control-plane/control-plane.ts';
import { chart, type Helm } from './chart.ts';

/** A failed Helm command, with all that it printed. */
export class HelmError extends Error {}

/** A release of a chart in a namespace of its own, driven by the real Helm. */
export class Release {
  readonly name: string;
  readonly namespace: string;
  readonly plane: ControlPlane;

  private constructor(plane: ControlPlane, namespace: string, name: string) {
    this.plane = plane;
    this.namespace = namespace;
    this.name = name;
  }

  /** Makes a namespace that admits restricted Pods alone. */
  static async create(plane: ControlPlane, namespace: string, name = 'agenttier') {
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
    await plane.client.createGlobal('Namespace', { metadata: { name: namespace, labels } });
    return new Release(plane, namespace, name);
  }

  /** The same release, driven by somebody with a kubeconfig of their own. */
  as(plane: ControlPlane): Release {
    return new Release(plane, this.namespace, this.name);
  }

  /** Runs a command of Helm in the namespace; throws HelmError when it fails. */
  async helm(helm: Helm, ...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await this.tryHelm(helm, ...args);
    if (status !== 0) throw new HelmError(`${helm} ${args.join(' ')}\n${stdout}${stderr}`);
    return stdout;
  }

  /** Runs a command of Helm in the namespace, which may fail. */
  async tryHelm(helm: Helm, ...args: string[]): Promise<Outcome> {
    return run(await program(helm), [...args, '--namespace', this.namespace], {
      env: this.#environment(),
    });
  }

  /**
   * Runs `helm upgrade --install` with these `--set` values and flags, and without Helm's own check
   * by the cluster's schema, which is half of its time: the matrix of values does that, strictly.
   */
  upgrade(helm: Helm, values: readonly string[], ...flags: string[]): Promise<string> {
    const sets = values.flatMap((value) => ['--set', value]);
    const all = [...sets, '--disable-openapi-validation', ...flags];
    return this.helm(helm, 'upgrade', '--install', this.name, chart, ...all);
  }

  /** Rolls back to a revision. */
  rollback(helm: Helm, revision: number, ...flags: string[]): Promise<string> {
    return this.helm(helm, 'rollback', this.name, String(revision), ...flags);
  }

  /** Runs kubectl in the namespace; throws when it fails. */
  async kubectl(...args: string[]): Promise<string> {
    const outcome = await run(await program('kubectl'), ['-n', this.namespace, ...args], {
      env: this.#environment(),
    });
    if (outcome.status !== 0) throw new Error(`kubectl ${args.join(' ')}: ${outcome.stderr}`);
    return outcome.stdout;
  }

  /** The live Deployment of the Router. */
  deployment(name = `${this.name}-router`) {
    return this.plane.client.find(this.namespace, 'Deployment', name);
  }

  /** The live claim, or undefined. */
  claim(name = `${this.name}-router-storage`) {
    return this.plane.client.find(this.namespace, 'PersistentVolumeClaim', name);
  }

  // Nothing of the user's own Helm: no plugin, no repository, no setting.
  #environment(): NodeJS.ProcessEnv {
    const home = join(this.plane.kubeconfig, '..', 'home');
    return { PATH: process.env.PATH, HOME: home, KUBECONFIG: this.plane.kubeconfig };
  }
}
