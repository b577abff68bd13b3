/** Bundles the sidecar into sidecar/dist: two entry points, and sql.js beside them. */

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
    // pino and others are CommonJS and call require() for what Node has built in.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
  }),
  // Not bundled: its module is run anew for each connection (stores/sqlite/sqljs.ts).
  copyFile(require.resolve('sql.js/dist/sql-wasm-debug.js'), `${dist}/sqlite.cjs`),
  copyFile(require.resolve('sql.js/dist/sql-wasm-debug.wasm'), `${dist}/sqlite.wasm`),
]);
