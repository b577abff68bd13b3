import { randomUUID } from 'node:crypto';
import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';

/** Who a process is, as exactly as the operating system lets it be told. */
export interface ProcessIdentity {
  /** The host's name; in Kubernetes the Pod's. */
  readonly host: string;
  readonly pid: number;
  /** When the process started, in clock ticks since boot; empty where there is no /proc. */
  readonly started: string;
  /** Which numbering `pid` belongs to; empty where there is no /proc. */
  readonly pidNamespace: string;
  /** Which run of the kernel; empty where there is no /proc. */
  readonly boot: string;
}

/** Reads this process's identity. Never rejects: what cannot be read stays empty. */
export async function ownIdentity(): Promise<ProcessIdentity> {
  const [stat, pidNamespace, boot] = await Promise.all([
    processStat('self'),
    readlink('/proc/self/ns/pid').catch(() => ''),
    readFile('/proc/sys/kernel/random/boot_id', 'latin1').catch(() => ''),
  ]);
  return {
    host: hostname(),
    pid: process.pid,
    started: stat?.started ?? '',
    pidNamespace,
    boot: boot.trim(),
  };
}

/**
 * Whether a process of this pid namespace still exists, threads that outlive its main one
 * included: a killed process whose worker hangs in a system call may still complete that write.
 */
export async function isAlive(pid: number, started: string): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it is there, and another user's.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const stat = await processStat(pid);
  if (stat === undefined) return true;
  if (started !== '' && stat.started !== started) return false;
  return !(stat.dead && stat.threads <= 1);
}

/** A moment of the monotonic clock, which all processes of one boot share, in nanoseconds. */
export function monotonicNow(): bigint {
  return process.hrtime.bigint();
}

/** A name that no other holder of a lock has. */
export function newOwner(): string {
  return randomUUID();
}

/** Fields of /proc/<pid>/stat, proc_pid_stat(5): 3 is the state, 20 the threads, 22 the start. */
async function processStat(pid: number | 'self') {
  const text = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined);
  if (text === undefined) return undefined;
  // The second field, the program's name in parentheses, may hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return {
    dead: fields[0] === 'Z' || fields[0] === 'X',
    threads: Number(fields[17]),
    started: fields[19] ?? '',
  };
}
