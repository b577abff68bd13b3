import { readFileSync } from 'node:fs';

/** A POSIX or open-file-description lock that some process holds. */
export interface PosixLock {
  readonly write: boolean;
  /** -1 for a lock that belongs to no single process. */
  readonly pid: number;
  readonly inode: number;
  /** First and last byte. */
  readonly from: number;
  readonly to: number;
}

/** https://man7.org/linux/man-pages/man5/proc_locks.5.html; a waiting one has an arrow and is left out. */
const LINE =
  /^\d+: (?:POSIX|OFDLCK) +\S+ +(READ|WRITE) +(-?\d+) +[^ :]+:[^ :]+:(\d+) +(\d+) +(\d+|EOF)$/;

/** All locks that this machine lets us see; none where it does not tell (not Linux). */
export function posixLocks(): PosixLock[] {
  let text: string;
  try {
    text = readFileSync('/proc/locks', 'utf8');
  } catch {
    return [];
  }
  return parseLocks(text);
}

export function parseLocks(text: string): PosixLock[] {
  const locks: PosixLock[] = [];
  for (const line of text.split('\n')) {
    const match = LINE.exec(line);
    if (match === null) continue;
    const [, access, pid, inode, from, to] = match;
    locks.push({
      write: access === 'WRITE',
      pid: Number(pid),
      inode: Number(inode),
      from: Number(from),
      to: to === 'EOF' ? Number.POSITIVE_INFINITY : Number(to),
    });
  }
  return locks;
}
