/**
 * Bundles the sidecar into sidecar/dist: the main program, the code of each store (loaded only when it
 * is chosen), the worker of SQLite's, and sql.js's two files beside them.
 */

import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../', import.meta.url));
const dist = join(root, 'sidecar/dist');
const require = createRequire(import.meta.url);
const { version } = require('../package.json') as { version: string };

const { outputFiles } = await build({
  entryPoints: {
    main: join(root, 'sidecar/src/main.ts'),
    'sqlite-worker': join(root, 'sidecar/src/stores/sqlite/worker/worker.ts'),
  },
  outdir: dist,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  // What import() names becomes a file of its own, read when it is reached.
  splitting: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  sourcemap: 'linked',
  legalComments: 'none',
  logLevel: 'warning',
  define: { AGENTTIER_VERSION: JSON.stringify(version) },
  // pino, sql.js and others are CommonJS and call require() for what Node has built in.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  write: false,
});

const files = new Map(outputFiles.map(({ path, contents }) => [basename(path), contents]));
files.set('sqlite.wasm', await readFile(require.resolve('sql.js/dist/sql-wasm-debug.wasm')));
files.set('sqlite.cjs', await readFile(require.resolve('sql.js/dist/sql-wasm-debug.js')));

await mkdir(dist, { recursive: true });
for (const [name, contents] of files) {
  // By a rename, so that a process that starts meanwhile never reads half a file.
  const unfinished = join(dist, `.${name}.${process.pid}`);
  try {
    await writeFile(unfinished, contents);
    await rename(unfinished, join(dist, name));
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}
for (const name of await readdir(dist)) {
  if (!files.has(name) && !isUnderWay(name)) {
    await rm(join(dist, name), { recursive: true, force: true });
  }
}

/** Whether a file is what another build is about to rename; one that was interrupted never will. */
function isUnderWay(name: string): boolean {
  const [, pid] = /^\..+\.(\d+)$/.exec(name) ?? [];
  if (pid === undefined) return name.startsWith('.');
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    // Another user's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
