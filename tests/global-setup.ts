import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TEMPLATES } from './sidecar/support/data-template.ts';

/** Builds the bundle once for all tests that start processes, and gives their servers' data a place. */
export default function setup(): () => void {
  const script = fileURLToPath(new URL('../scripts/build.ts', import.meta.url));
  execFileSync(process.execPath, [script], { stdio: 'inherit' });
  const templates = mkdtempSync(join(tmpdir(), 'agenttier-templates-'));
  // Servers have users of their own.
  chmodSync(templates, 0o755);
  process.env[TEMPLATES] = templates;
  return () => rmSync(templates, { recursive: true, force: true });
}
