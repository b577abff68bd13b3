import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { offerControlPlane } from './chart/control-plane/shared.ts';
import { TEMPLATES } from './sidecar/support/data-template.ts';

/**
 * Builds the bundle once for all tests that start processes, gives their servers' data a place, and offers
 * a control plane to those that ask for one.
 */
export default async function setup(): Promise<() => Promise<void>> {
  const script = fileURLToPath(new URL('../scripts/build.ts', import.meta.url));
  execFileSync(process.execPath, [script], { stdio: 'inherit' });
  const templates = mkdtempSync(join(tmpdir(), 'agenttier-templates-'));
  // Servers have users of their own.
  chmodSync(templates, 0o755);
  process.env[TEMPLATES] = templates;
  const endControlPlane = await offerControlPlane();
  return async () => {
    await endControlPlane();
    rmSync(templates, { recursive: true, force: true });
  };
}
