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

  /** Makes it read-only, or writable again. The first is refused while a file is open for writing. */
  async remount(mode: 'ro' | 'rw'): Promise<void> {
    await onNode('mount', '-o', `remount,${mode}`, this.#directory);
    // The file system alone: a container's mount of it would keep what this mount is.
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
  // A hostPath ignores fsGroup.
  const options = `size=${megabytes}m,mode=1777`;
  await onNode('mount', '-t', 'tmpfs', '-o', options, 'tmpfs', directory);
  await namespace.apply({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: namespace.name },
    spec: {
      storageClassName: namespace.name,
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Retain',
      // Of this kind, because kubelet makes a mount of its own of a `local` one, and makes that
      // read-only for good where the file system is.
      hostPath: { path: directory },
    },
  });
  return new SmallVolume(namespace, directory);
}
