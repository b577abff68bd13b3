/** What Linux tells of a process in /proc, https://man7.org/linux/man-pages/man5/proc.5.html. */

import { readFileSync } from 'node:fs';

/** USER_HZ is 100 on every architecture that Node runs on. */
const TICKS_A_SECOND = 100;

/** User and system time of all threads, ended ones included. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The name, in parentheses, may hold spaces: utime and stime are the 12th and 13th after it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}

export interface Memory {
  readonly residentMb: number;
  /** Without what is mapped from files: Node's own code, mostly. */
  readonly anonymousMb: number;
}

/** In megabytes of 1,000,000 bytes. */
export function memory(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const mb = (name: string) =>
    (Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1_024) / 1e6;
  return { residentMb: mb('VmRSS'), anonymousMb: mb('RssAnon') };
}
