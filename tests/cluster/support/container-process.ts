import type { KubernetesObject } from '../../chart/control-plane/client.ts';
import { onNode } from './namespace.ts';

/** What a container's process takes. */
export interface Usage {
  /** Resident memory now, in MiB. */
  residentMiB: number;
  /** The most that it was. */
  peakMiB: number;
  /** Processor time since its start, in seconds. */
  cpuSeconds: number;
}

const TICKS_PER_SECOND = 100;

/** Finds the process of a container on the node, by its number there. */
export async function processOf(pod: KubernetesObject, container: string): Promise<number> {
  const all = [...(pod.status.initContainerStatuses ?? []), ...pod.status.containerStatuses];
  const { containerID } = all.find(({ name }) => name === container);
  const id = String(containerID).replace('containerd://', '');
  // Only a process that runs in the container has its id in the names of its control groups.
  const script = `for each in /proc/[0-9]*; do
    if grep -q "$1" "$each/cgroup" 2>/dev/null; then echo "\${each#/proc/}"; exit; fi
  done; exit 1`;
  return Number(await onNode('bash', '-c', script, 'find', id));
}

/** When a process on the node was started, in hundredths of a second since the machine was. */
export async function startOf(pid: number): Promise<number> {
  return Number(statistics(await onNode('cat', `/proc/${pid}/stat`))[19]);
}

/** Reads what a process on the node takes. */
export async function usageOf(pid: number): Promise<Usage> {
  const text = await onNode('cat', `/proc/${pid}/status`, `/proc/${pid}/stat`);
  const mebibytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) / 1024;
  const fields = statistics(text);
  const ticks = Number(fields[11]) + Number(fields[12]);
  return {
    residentMiB: mebibytes('VmRSS'),
    peakMiB: mebibytes('VmHWM'),
    cpuSeconds: ticks / TICKS_PER_SECOND,
  };
}

/** The fields of a process's stat from its state on: its name stands in parentheses and may hold anything. */
function statistics(text: string): string[] {
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}
