import type { Namespace } from './namespace.ts';
import { onNode } from './namespace.ts';

/** Kills the processes of a Pod's container with SIGKILL, from the node. */
export async function killContainer(
  namespace: Namespace,
  pod: string,
  container: string,
): Promise<void> {
  const { status } = await namespace.find('pod', pod);
  const all = [...(status.initContainerStatuses ?? []), ...status.containerStatuses];
  const id = all.find(({ name }: { name: string }) => name === container).containerID;
  const [, short] = String(id).split('://');
  // The name of a container's control group ends in its id.
  const script = `for d in $(grep -l ${short} /proc/[0-9]*/cgroup); do p=\${d#/proc/}; kill -KILL \${p%/cgroup}; done`;
  await onNode('sh', '-c', script);
}
