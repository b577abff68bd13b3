import { cp, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ControlPlane } from '../control-plane/control-plane.ts';

/** A chart in an umbrella: where it lies, its version, and what the umbrella calls it. */
export interface Dependency {
  chart: string;
  version: string;
  alias: string;
}

/**
 * Makes a chart of charts that are all called agenttier; it goes with the control plane.
 *
 * @returns its directory
 */
export async function umbrella(
  { kubeconfig }: ControlPlane,
  ...dependencies: readonly Dependency[]
): Promise<string> {
  const directory = await mkdtemp(join(kubeconfig, '..', 'umbrella-'));
  const about = {
    apiVersion: 'v2',
    name: 'umbrella',
    version: '1.0.0',
    dependencies: dependencies.map(({ version, alias }) => ({ name: 'agenttier', version, alias })),
  };
  await writeFile(join(directory, 'Chart.yaml'), JSON.stringify(about));
  for (const { chart, version } of dependencies) {
    await cp(chart, join(directory, 'charts', `agenttier-${version}`), { recursive: true });
  }
  return directory;
}
