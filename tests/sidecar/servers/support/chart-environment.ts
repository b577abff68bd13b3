import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { program } from '../../../../scripts/tools/program.ts';
import { mustRun } from '../../../../scripts/tools/run.ts';

const CHART = fileURLToPath(new URL('../../../../chart', import.meta.url));
const MOUNTED = '/run/agenttier/';

interface EnvEntry {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly secretKeyRef: { readonly key: string } };
}

interface Container {
  readonly name: string;
  readonly env?: readonly EnvEntry[];
}

/** What the kubelet knows of the Secret when it starts the container, and where it mounts it. */
export interface MountedSecret {
  /** Stands for the directory where the Pod has the Secret's files. */
  readonly directory: string;
  /** Undefined while there is no Secret: then the variable is not set. */
  readonly dsn: string | undefined;
}

/**
 * The environment of the sidecar's container as the chart renders it for a driver with nothing but
 * the name of a Secret in the values. Only the ports differ: the kernel chooses them.
 */
export async function chartEnvironment(
  driver: 'postgres' | 'mysql',
  { directory, dsn }: MountedSecret,
): Promise<Record<string, string>> {
  const storage = ['enabled=true', `driver=${driver}`, 'dsnSecret.name=agenttier-db'];
  const values = storage.map((pair) => `optional.storage.${pair}`).join(',');
  const args = ['template', 'agenttier', CHART, '--set', values];
  const rendered = await mustRun(await program('helm3'), args);
  const env: Record<string, string> = {};
  for (const { name, value, valueFrom } of sidecarEnv(rendered)) {
    if (value !== undefined) env[name] = value.replace(MOUNTED, `${directory}/`);
    else if (valueFrom?.secretKeyRef.key === 'dsn' && dsn !== undefined) env[name] = dsn;
  }
  return { ...env, STORAGE_API_ADDRESS: '127.0.0.1:0', STORAGE_OPS_ADDRESS: '127.0.0.1:0' };
}

function sidecarEnv(rendered: string): readonly EnvEntry[] {
  for (const document of parseAllDocuments(rendered)) {
    const object = document.toJS() as {
      kind?: string;
      spec?: {
        template?: { spec?: { containers?: Container[]; initContainers?: Container[] } };
      };
    } | null;
    const pod = object?.spec?.template?.spec;
    const all = [...(pod?.containers ?? []), ...(pod?.initContainers ?? [])];
    const sidecar = all.find(({ name }) => name === 'storage');
    if (object?.kind === 'Deployment' && sidecar?.env !== undefined) return sidecar.env;
  }
  throw new Error('the chart renders no sidecar');
}

/** The README's commands that run the sidecar on a server. */
export async function readmeServerCommands(): Promise<readonly string[]> {
  const readme = await readFile(join(CHART, '../README.md'), 'utf8');
  return readme.split('\n').filter((line) => /^STORAGE_DSN=.* npm run sidecar$/.test(line));
}
