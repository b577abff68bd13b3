import { lstat } from 'node:fs/promises';
import { type FileIdentity, isSame } from './files/file-identity.ts';
import type { Opened } from './worker/protocol.ts';

interface Seen extends FileIdentity {
  readonly isDirectory: boolean;
  readonly size: number;
  readonly modifiedMs: number;
}

/** What lies at a path: undefined where nothing does, `unknown` where that cannot be told. */
type Look = Seen | undefined | 'unknown';

/** What lies at the paths of an open database, looked at now and then by calls that do not block. */
export class Surroundings {
  #file: Look;
  #wal: Look;

  /**
   * Looks at the database, its WAL and its shm directory.
   *
   * @returns whether one of them is gone, another's, or changed since the last look in a way that the
   *   worker must know of; it knows what it changed itself
   */
  async look(path: string, { file: ours, wal: ourWal }: Opened): Promise<boolean> {
    // One after the other. Each holds a thread of libuv's pool while the volume hangs, as the beat of
    // the lock does, and four threads serve the whole process, its log to a file among it.
    const file = await look(path);
    const wal = await look(`${path}-wal`);
    const shm = await look(`${path}-shm`);
    const isChanged = changed(this.#file, file) || shrunk(this.#wal, wal);
    this.#file = file;
    this.#wal = wal;
    const isFileThere = file === 'unknown' || isSame(ours, file);
    const isWalThere =
      wal === 'unknown' || (ourWal === undefined ? wal === undefined : isSame(ourWal, wal));
    const isShmThere = shm === 'unknown' || shm?.isDirectory === true;
    return !isFileThere || !isWalThere || !isShmThere || isChanged;
  }
}

async function look(path: string): Promise<Look> {
  try {
    const stats = await lstat(path);
    const { dev: device, ino: inode, size, mtimeMs: modifiedMs } = stats;
    return { device, inode, isDirectory: stats.isDirectory(), size, modifiedMs };
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : 'unknown';
  }
}

function changed(before: Look, now: Look): boolean {
  if (typeof before !== 'object' || typeof now !== 'object') return false;
  return before.size !== now.size || before.modifiedMs !== now.modifiedMs;
}

function shrunk(before: Look, now: Look): boolean {
  return typeof before === 'object' && typeof now === 'object' && now.size < before.size;
}
