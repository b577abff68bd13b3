import { Agent, request } from 'node:https';

/** A Kubernetes object as the API server answers it. */
// biome-ignore lint/suspicious/noExplicitAny: tests read deep into objects of many kinds, and a wrong path fails there
export type KubernetesObject = any;

/** The API server's refusal. */
export class ApiError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const paths = {
  Namespace: '/api/v1/namespaces',
  PersistentVolume: '/api/v1/persistentvolumes',
  StorageClass: '/apis/storage.k8s.io/v1/storageclasses',
} as const;

const namespaced = {
  ConfigMap: ['/api/v1', 'configmaps'],
  Deployment: ['/apis/apps/v1', 'deployments'],
  PersistentVolumeClaim: ['/api/v1', 'persistentvolumeclaims'],
  Pod: ['/api/v1', 'pods'],
  ReplicaSet: ['/apis/apps/v1', 'replicasets'],
  Secret: ['/api/v1', 'secrets'],
  Service: ['/api/v1', 'services'],
} as const;

/** Kinds that live in a namespace. */
export type NamespacedKind = keyof typeof namespaced;

/** A client of the few calls that tests need, cheaper than a kubectl process for each. */
export class KubernetesClient {
  readonly #server: string;
  readonly #token: string;
  // The API server signs its own certificate at its first start.
  readonly #agent = new Agent({ rejectUnauthorized: false, keepAlive: true });

  constructor(server: string, token: string) {
    this.#server = server;
    this.#token = token;
  }

  /** Sends a request and parses the answer; throws ApiError for a status of 400 and above. */
  send(method: string, path: string, body?: unknown, type = 'application/json') {
    return new Promise<KubernetesObject>((resolve, reject) => {
      const call = request(new URL(path, this.#server), {
        method,
        agent: this.#agent,
        headers: { authorization: `Bearer ${this.#token}`, 'content-type': type },
      });
      call.on('error', reject);
      call.on('response', (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('error', reject);
        response.on('end', () => {
          const status = response.statusCode ?? 0;
          if (status >= 400) reject(new ApiError(status, `${method} ${path}: ${status} ${text}`));
          else resolve(text.startsWith('{') ? JSON.parse(text) : text);
        });
      });
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** Whether the API server and its start hooks are ready. */
  async isReady(): Promise<boolean> {
    try {
      return (await this.send('GET', '/readyz')) === 'ok';
    } catch {
      return false;
    }
  }

  /** Creates an object that lives outside of namespaces. */
  createGlobal(kind: keyof typeof paths, object: object): Promise<KubernetesObject> {
    return this.send('POST', paths[kind], object);
  }

  /** Creates an object in a namespace. */
  create(namespace: string, kind: NamespacedKind, object: object): Promise<KubernetesObject> {
    return this.send('POST', this.#path(namespace, kind), object);
  }

  /** Reads an object; undefined when there is none. */
  async find(namespace: string, kind: NamespacedKind, name: string): Promise<KubernetesObject> {
    try {
      return await this.send('GET', `${this.#path(namespace, kind)}/${name}`);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  /** Lists the objects of a kind. */
  async list(namespace: string, kind: NamespacedKind): Promise<KubernetesObject[]> {
    return (await this.send('GET', this.#path(namespace, kind))).items;
  }

  /** Merges fields into an object. */
  patch(namespace: string, kind: NamespacedKind, name: string, change: object) {
    const path = `${this.#path(namespace, kind)}/${name}`;
    return this.send('PATCH', path, change, 'application/merge-patch+json');
  }

  /** Closes the connections. */
  close(): void {
    this.#agent.destroy();
  }

  #path(namespace: string, kind: NamespacedKind): string {
    const [group, plural] = namespaced[kind];
    return `${group}/namespaces/${namespace}/${plural}`;
  }
}
