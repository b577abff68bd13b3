import { execFileSync } from 'node:child_process';

/** Builds the bundle once for all tests that start processes. */
export default function setup(): void {
  const script = new URL('../scripts/build.ts', import.meta.url).pathname;
  execFileSync(process.execPath, [script], { stdio: 'inherit' });
}
