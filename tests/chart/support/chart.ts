import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { program } from '../../../scripts/tools/program.ts';
import { mustRun } from '../../../scripts/tools/run.ts';

/** The directory of the chart. */
export const chart = fileURLToPath(new URL('../../../chart', import.meta.url));

/** The two majors of Helm that the chart supports. */
export const helms = ['helm3', 'helm4'] as const;

/** One of the two majors of Helm. */
export type Helm = (typeof helms)[number];

/** A values file of the matrix, and what its comments say about how it is rendered. */
export interface ValueSet {
  name: string;
  path: string;
  release: string;
  /** Kubernetes versions like `1.33` that it is meant for. */
  versions: readonly string[];
}

/** The Kubernetes versions that the chart is held to: the oldest supported, and some since. */
export const kubernetesVersions = ['1.27', '1.29', '1.33', '1.37'];

/** Reads a values file with its `# Release:` and `# Kubernetes:` lines. */
export async function readValueSet(path: string, name: string): Promise<ValueSet> {
  const text = await readFile(path, 'utf8');
  const release = /^# Release: (\S+)$/m.exec(text)?.[1] ?? 'agenttier';
  const versions = /^# Kubernetes: (.+)$/m.exec(text)?.[1]?.split(' ') ?? kubernetesVersions;
  return { name, path, release, versions };
}

/** Renders the chart as `helm template` does, for a Kubernetes version. */
export async function render(helm: Helm, set: ValueSet, version: string): Promise<string> {
  const args = ['template', set.release, chart, '--namespace', 'agents', '--values', set.path];
  return mustRun(await program(helm), [...args, '--kube-version', `${version}.0`]);
}
