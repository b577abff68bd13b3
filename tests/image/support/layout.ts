import { chmodSync, copyFileSync, globSync, mkdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Dockerfile } from './dockerfile.ts';

const DIST = fileURLToPath(new URL('../../../sidecar/dist', import.meta.url));

/** The pinned Node stands for the one of the image that Node's own project publishes. */
const CONTEXTS: Readonly<Record<string, (source: string) => string>> = {
  node: () => process.execPath,
  dist: (source) => join(DIST, source),
};

/**
 * Lays out what the final stage copies, and nothing else, below a directory.
 *
 * @returns the paths in the image, sorted
 */
export function layOut({ copies }: Dockerfile, root: string): string[] {
  const paths: string[] = [];
  for (const { from, sources, target, mode } of copies) {
    const locate = CONTEXTS[from];
    if (locate === undefined) throw new Error(`the final stage copies from an unknown ${from}`);
    for (const file of sources.flatMap((source) => globSync(locate(source)))) {
      const path = target.endsWith('/') ? target + basename(file) : target;
      const copy = join(root, path);
      mkdirSync(dirname(copy), { recursive: true });
      copyFileSync(file, copy);
      chmodSync(copy, mode);
      paths.push(path);
    }
  }
  return paths.sort();
}
