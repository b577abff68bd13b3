import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import { program } from '../../../scripts/tools/program.ts';
import { mustRun, type Outcome, run } from '../../../scripts/tools/run.ts';
import type { KubernetesObject } from '../../chart/control-plane/client.ts';
import { chart, type Helm } from '../../chart/support/chart.ts';
import { eventually } from './eventually.ts';

const CLUSTER = fileURLToPath(new URL('../../../scripts/cluster', import.meta.url));

/** A failed Helm or kubectl command, with all that it printed. */
export class CommandError extends Error {}

const RESOURCES = {
  deployment: ['apis/apps/v1', 'deployments'],
  pod: ['api/v1', 'pods'],
  pvc: ['api/v1', 'persistentvolumeclaims'],
  serviceaccount: ['api/v1', 'serviceaccounts'],
} as const;

type Kind = keyof typeof RESOURCES;

/**
 * A namespace of a test's own that admits restricted Pods alone, with Helm and kubectl in it.
 *
 *     await using namespace = await createNamespace('helm4', 'install');
 */
export class Namespace {
  readonly name: string;
  /** The Helm that this test runs. */
  readonly version: Helm;
  readonly #releases = new Set<string>();

  constructor(version: Helm, name: string) {
    this.version = version;
    this.name = name;
  }

  /** Notes a release that was installed without this class, so that it is removed in the end. */
  owns(release: string): void {
    this.#releases.add(release);
  }

  /** Runs Helm in the namespace. @throws CommandError when it fails */
  async helm(...args: string[]): Promise<string> {
    return succeed(`helm ${args.join(' ')}`, await this.tryHelm(...args));
  }

  /** Runs Helm in the namespace, which may fail. */
  async tryHelm(...args: string[]): Promise<Outcome> {
    const outcome = await run(await program(this.version), [...args, '-n', this.name], {
      env: environment(),
    });
    if (args[0] === 'upgrade' || args[0] === 'install') {
      const release = args.filter((arg) => !arg.startsWith('-'))[1];
      if (release !== undefined) this.owns(release);
    }
    return outcome;
  }

  /** Runs `helm upgrade --install RELEASE ./chart`, with `--set` for each of the values. */
  install(release: string, values: readonly string[], ...flags: string[]): Promise<string> {
    const sets = values.flatMap((value) => ['--set', value]);
    return this.helm('upgrade', '--install', release, chart, ...sets, ...flags);
  }

  /** Runs kubectl in the namespace. @throws CommandError when it fails */
  async kubectl(...args: string[]): Promise<string> {
    return succeed(`kubectl ${args.join(' ')}`, await this.tryKubectl(...args));
  }

  /** Runs kubectl in the namespace, which may fail. */
  async tryKubectl(...args: string[]): Promise<Outcome> {
    return run(await program('kubectl'), ['-n', this.name, ...args], { env: environment() });
  }

  /** Runs kubectl in the namespace with an input. @throws CommandError when it fails */
  async pipe(stdin: string, ...args: string[]): Promise<string> {
    const outcome = await run(await program('kubectl'), ['-n', this.name, ...args], {
      env: environment(),
      stdin,
    });
    return succeed(`kubectl ${args.join(' ')}`, outcome);
  }

  /** Makes or changes an object. */
  async apply(object: KubernetesObject): Promise<void> {
    await this.pipe(JSON.stringify(object), 'apply', '--server-side', '-f', '-');
  }

  /** An object, or undefined where there is none. */
  async find(kind: Kind, name: string): Promise<KubernetesObject | undefined> {
    const response = await this.#get(kind, `/${name}`);
    if (response.status === 404) return undefined;
    return JSON.parse(await textOf(response));
  }

  /** The objects of a kind, by labels. */
  async list(kind: Kind, selector = ''): Promise<KubernetesObject[]> {
    const query = `?labelSelector=${encodeURIComponent(selector)}`;
    return JSON.parse(await textOf(await this.#get(kind, query))).items;
  }

  /**
   * GETs what a port of a Pod answers; the Pod need not be ready.
   *
   * @throws CommandError with what was answered where that is no success
   */
  async ask(pod: string, port: number, path: string): Promise<string> {
    return textOf(await this.#get('pod', `/${pod}:${port}/proxy${path}`));
  }

  #get(kind: Kind, rest: string): Promise<Response> {
    const [group, resource] = RESOURCES[kind];
    return ask('GET', `${group}/namespaces/${this.name}/${resource}${rest}`);
  }

  /** The Pods of a release's Router that are not being deleted. */
  async routerPods(release = 'agenttier'): Promise<KubernetesObject[]> {
    const pods = await this.list(
      'pod',
      `app.kubernetes.io/instance=${release},app.kubernetes.io/component=router`,
    );
    return pods.filter((pod) => pod.metadata.deletionTimestamp === undefined);
  }

  /** The only Pod of a release's Router. @throws when there is none, or more */
  async routerPod(release = 'agenttier'): Promise<KubernetesObject> {
    const pods = await this.routerPods(release);
    if (pods.length !== 1) throw new Error(`${release} has ${pods.length} Pods of the Router`);
    return pods[0] as KubernetesObject;
  }

  /** Waits until a release's Router is rolled out, its Pods being ready. */
  async rolledOut(release = 'agenttier', seconds = 120): Promise<void> {
    const name = `deployment/${release}-router`;
    await this.kubectl('rollout', 'status', name, `--timeout=${seconds}s`);
  }

  /** What a container of a Pod printed. */
  logs(pod: string, container: string, ...flags: string[]): Promise<string> {
    return this.kubectl('logs', pod, '-c', container, ...flags);
  }

  /** Removes the namespace and what its releases left outside of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const release of this.#releases) {
      await this.tryHelm('uninstall', release, '--ignore-not-found');
    }
    await textOf(await ask('DELETE', `api/v1/namespaces/${this.name}`));
  }
}

/**
 * Makes a namespace with a name of its own.
 *
 * @param purpose the first part of its name
 */
export async function createNamespace(version: Helm, purpose: string): Promise<Namespace> {
  const name = `${purpose}-${version}-${randomBytes(3).toString('hex')}`;
  const namespace = new Namespace(version, name);
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
  await textOf(await ask('POST', 'api/v1/namespaces', object));
  // The API server makes it a moment later, and Pods need it.
  await eventually(async () => {
    const account = await namespace.find('serviceaccount', 'default');
    if (account === undefined) throw new Error(`${name} has no service account`);
  });
  return namespace;
}

/** Runs a command on the cluster's node. */
export function onNode(...command: string[]): Promise<string> {
  return mustRun(CLUSTER, ['exec', ...command], {
    env: { ...process.env, ...inject('cluster').env },
  });
}

/** The environment of Helm and kubectl: nothing of the user's own. */
export function environment(): NodeJS.ProcessEnv {
  const { kubeconfig, home } = inject('cluster');
  return { PATH: process.env.PATH, HOME: home, KUBECONFIG: kubeconfig };
}

/** A request to the API server, which costs a thousandth of a process of kubectl. */
function ask(method: string, path: string, object?: KubernetesObject): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  const body = object === undefined ? {} : { headers, body: JSON.stringify(object) };
  return fetch(`${inject('cluster').api}/${path}`, { method, ...body });
}

async function textOf(response: Response): Promise<string> {
  const text = await response.text();
  if (!response.ok) throw new CommandError(`${response.url}: ${response.status} ${text}`);
  return text;
}

function succeed(command: string, { status, stdout, stderr }: Outcome): string {
  if (status !== 0) throw new CommandError(`${command}\n${stdout}${stderr}`);
  return stdout;
}
