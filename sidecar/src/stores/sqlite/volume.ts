import { statfs } from 'node:fs/promises';
import type { Space } from './files/file-layer.ts';

/** Space changes slowly, and a warning ten seconds late is early enough. */
const REFRESH_MS = 10_000;

/** Below this share of free bytes the volume is worth a look. */
const LOW_SHARE = 0.1;

/**
 * The space of the volume that holds a directory. It is looked at now and then and never waited
 * for: a volume that hangs leaves the figures of the last time, and one call waiting.
 */
export class Volume {
  readonly #directory: string;
  #space: Space | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Bytes that an unprivileged process may still write; undefined before the first look. */
  get freeBytes(): number | undefined {
    return this.#space?.freeBytes;
  }

  /** What to tell the operator when less than a tenth is free. */
  get warning(): string | undefined {
    return this.#space === undefined ? undefined : lowSpaceWarning(this.#directory, this.#space);
  }

  /** Looks again if the last look is old. Never rejects; call it one at a time. */
  async refresh(): Promise<void> {
    const now = performance.now();
    if (now - this.#lookedAt < REFRESH_MS) return;
    this.#lookedAt = now;
    try {
      const { bavail, blocks, bsize } = await statfs(this.#directory);
      this.#space = { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
    } catch {
      // The figures of the last time stay; what fails here fails louder at the next write.
    }
  }
}

/** @returns undefined while a tenth or more is free */
export function lowSpaceWarning(directory: string, space: Space): string | undefined {
  const { freeBytes, totalBytes } = space;
  if (freeBytes >= totalBytes * LOW_SHARE) return undefined;
  const percent = Math.floor((100 * freeBytes) / totalBytes);
  const free = `${Math.floor(freeBytes / 2 ** 20)} MiB`;
  return `the volume of ${directory} has ${percent} % (${free}) free; enlarge it or prune`;
}
