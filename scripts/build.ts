/** Bundles the sidecar into sidecar/dist: two entry points, and SQLite's WebAssembly beside them. */

import { copyFile, mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { build } from 'esbuild';

const root = new URL('../', import.meta.url).pathname;
const dist = `${root}sidecar/dist`;
const require = createRequire(import.meta.url);

await mkdir(dist, { recursive: true });
await Promise.all([
  build({
    entryPoints: {
      main: `${root}sidecar/src/main.ts`,
      'sqlite-worker': `${root}sidecar/src/stores/sqlite/worker.ts`,
    },
    outdir: dist,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    sourcemap: 'linked',
    legalComments: 'none',
    logLevel: 'warning',
    // pino, sql.js and others are CommonJS and call require() for what Node has built in.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
  }),
  copyFile(require.resolve('sql.js/dist/sql-wasm-debug.wasm'), `${dist}/sqlite.wasm`),
]);
