import { randomUUID } from 'node:crypto';
import { link, readdir, readFile, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { directoryError } from '../files/directory-error.ts';

/** A lock is aside for a few milliseconds; what has been for so long was left behind. */
const ASIDE_MS = 60_000;

/**
 * Removes a stale lock. Renaming is atomic, so of several waiters one alone gets the file; what it
 * got is looked at again, since the holder may have come back, or another waiter may have put its
 * own lock there, and is then put back under its name.
 *
 * @param stale the content that was judged
 * @returns whether it was that lock which is gone now
 */
export async function removeStale(path: string, stale: string): Promise<boolean> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw directoryError(`take over the lock ${path}`, error);
  }
  const same = (await readIfThere(aside)) === stale;
  // Fails where a lock has appeared meanwhile: then the holder of this one sees that it is lost.
  if (!same) await link(aside, path).catch(() => {});
  // What stays is swept away by a later holder.
  await unlink(aside).catch(() => {});
  return same;
}

/** Removes locks that waiters had moved aside and did not live to remove. Never rejects. */
export async function sweepAside(path: string): Promise<void> {
  const directory = dirname(path);
  const prefix = `${basename(path)}.`;
  try {
    for (const name of await readdir(directory)) {
      if (!name.startsWith(prefix)) continue;
      const aside = join(directory, name);
      const { mtimeMs } = await stat(aside);
      if (Date.now() - mtimeMs > ASIDE_MS) await unlink(aside);
    }
  } catch {
    // They do no harm.
  }
}

export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

export function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code ?? 'unknown error');
}
