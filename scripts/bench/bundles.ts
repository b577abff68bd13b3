import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../../', import.meta.url));

export interface Bundles {
  readonly sidecar: string;
  readonly bare: string;
}

/**
 * Bundles the bare server as scripts/build.ts bundles the sidecar, so that both are measured in
 * the same form.
 */
export async function bundle(directory: string): Promise<Bundles> {
  const sidecar = `${root}sidecar/dist/main.mjs`;
  if (!existsSync(sidecar)) throw new Error('the sidecar is not built: run `npm run build` first');
  const bare = `${directory}/bare-server.mjs`;
  await build({
    entryPoints: [`${root}scripts/bench/bare-server.ts`],
    outfile: bare,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    legalComments: 'none',
    logLevel: 'warning',
  });
  return { sidecar, bare };
}
