import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

export interface Bundle {
  /** Of one entry point, by its name. */
  url(name: string): URL;
  remove(): Promise<void>;
}

/**
 * Bundles TypeScript entry points of the tests as the sidecar's own are, into a directory of their
 * own, for processes and worker threads.
 *
 * @param entries file by name
 */
export async function bundle(entries: Readonly<Record<string, URL>>): Promise<Bundle> {
  const root = new URL('../../../', import.meta.url);
  const directory = await mkdtemp(join(tmpdir(), 'bundle-'));
  await build({
    entryPoints: Object.fromEntries(
      Object.entries(entries).map(([name, url]) => [name, fileURLToPath(url)]),
    ),
    outdir: directory,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    sourcemap: 'inline',
    logLevel: 'warning',
    // A bundle in a temporary directory has no node_modules above it.
    banner: {
      js: `import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(${JSON.stringify(root.href)});`,
    },
    define: { 'import.meta.url': JSON.stringify(new URL('sidecar/dist/main.mjs', root).href) },
  });
  return {
    url: (name) => pathToFileURL(join(directory, `${name}.mjs`)),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}
