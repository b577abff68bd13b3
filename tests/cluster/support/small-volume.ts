import type { Namespace } from './namespace.ts';
import { onNode } from './namespace.ts';

/**
 * What kind of volume it is:
 *
 * - `hostPath`: containers mount the directory itself, and feel it when that becomes writable again
 * - `local`: kubelet makes a mount of its own for each Pod, which is read-only for good where the file
 *   system is at that moment
 */
type Kind = 'hostPath' | 'local';

const MEBIBYTES = 256;

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

  /** Makes it read-only, which the kernel refuses while a file is open for writing. */
  async makeReadOnly(): Promise<void> {
    await onNode('mount', '-o', 'remount,ro', this.#directory);
    await this.#keepMountWritable();
  }

  /**
   * Makes it full, and read-only under a sidecar that runs. A file system becomes so under its files when
   * it meets an error; by hand it does so only while none is open for writing. A full one leaves the
   * sidecar its lock alone, and no room for another where that is removed.
   */
  async becomeReadOnly(): Promise<void> {
    const attempt = `cat /dev/zero >>ballast; rm -f *.lock; mount -o remount,ro ${this.#directory}`;
    const script = `for i in $(seq 600); do (${attempt}) 2>/dev/null && exit; sleep 0.05; done; exit 1`;
    await onNode('sh', '-c', `cd ${this.#directory} && ${script}`);
    await this.#keepMountWritable();
  }

  /** The file system alone is read-only: a container's mount of it would keep what this mount is. */
  async #keepMountWritable(): Promise<void> {
    await onNode('mount', '-o', 'remount,bind,rw', this.#directory);
  }

  /** Undoes {@link makeReadOnly}, and what {@link becomeReadOnly} does besides is undone by {@link empty}. */
  async makeWritable(): Promise<void> {
    await onNode('mount', '-o', 'remount,rw', this.#directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#namespace.kubectl('delete', 'persistentvolume', this.storageClass, '--wait=false');
    // Pods that end still have it mounted elsewhere; the memory goes with the last of these mounts.
    await onNode('umount', '--lazy', this.#directory);
    await onNode('rmdir', this.#directory);
  }
}

/** Makes a volume for the one claim of a namespace. */
export async function makeSmallVolume(
  namespace: Namespace,
  kind: Kind = 'hostPath',
): Promise<SmallVolume> {
  const directory = `/run/agenttier-${namespace.name}`;
  await onNode('mkdir', '-p', directory);
  // A hostPath ignores fsGroup.
  const options = `size=${MEBIBYTES}m,mode=1777`;
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
      [kind]: { path: directory },
      // A local volume has to say where it is, and there is one node.
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'Exists' }] },
          ],
        },
      },
    },
  });
  return new SmallVolume(namespace, directory);
}
