import { eventually } from './eventually.ts';
import type { Namespace } from './namespace.ts';
import { onNode } from './namespace.ts';

/** A volume in the node's memory that can be filled up, and be made read-only. */
export class SmallVolume {
  /** Its storage class, which nothing else has. */
  readonly storageClass: string;
  readonly #directory: string;
  readonly #namespace: Namespace;

  constructor(namespace: Namespace, directory: string) {
    this.#namespace = namespace;
    this.storageClass = namespace.name;
    this.#directory = directory;
  }

  /** Leaves no byte free. */
  async fill(): Promise<void> {
    await onNode('sh', '-c', `cat /dev/zero >${this.#directory}/ballast 2>&1 || true`);
  }

  /** Undoes {@link fill}. */
  async empty(): Promise<void> {
    await onNode('rm', `${this.#directory}/ballast`);
  }

  /**
   * Makes it read-only, or writable again. The first waits for a moment in which no file is open for
   * writing: the kernel refuses it in all others.
   */
  async remount(mode: 'ro' | 'rw'): Promise<void> {
    await eventually(() => onNode('mount', '-o', `remount,${mode}`, this.#directory));
    // The file system alone: kubelet's mounts of it would keep what this mount is.
    if (mode === 'ro') await onNode('mount', '-o', 'remount,bind,rw', this.#directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#namespace.kubectl('delete', 'persistentvolume', this.storageClass, '--wait=false');
    // Pods that end still have it mounted elsewhere; the memory goes with the last of these mounts.
    await onNode('umount', '--lazy', this.#directory);
    await onNode('rmdir', this.#directory);
  }
}

/** Makes a volume of some MiB for the one claim of a namespace. */
export async function makeSmallVolume(namespace: Namespace, megabytes = 256): Promise<SmallVolume> {
  const directory = `/run/agenttier-${namespace.name}`;
  await onNode('mkdir', '-p', directory);
  await onNode('mount', '-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', directory);
  const node = (
    await namespace.kubectl('get', 'nodes', '-o', 'jsonpath={.items[0].metadata.name}')
  ).trim();
  await namespace.apply({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: namespace.name },
    spec: {
      storageClassName: namespace.name,
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Retain',
      // Of the kind `local`, because a hostPath ignores fsGroup.
      local: { path: directory },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            {
              matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }],
            },
          ],
        },
      },
    },
  });
  return new SmallVolume(namespace, directory);
}
