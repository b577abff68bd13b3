import { fileURLToPath } from 'node:url';
import { mustRun } from '../../../scripts/tools/run.ts';
import { schemaPython } from '../../../scripts/tools/schemas.ts';

const script = fileURLToPath(new URL('validate_manifests.py', import.meta.url));

/** Manifests, and the Kubernetes versions (like `1.33`) whose strict schemas they have to fit. */
export interface Manifests {
  name: string;
  versions: readonly string[];
  /** A stream of YAML documents. */
  text: string;
}

/** A field that a Kubernetes version would not take. */
export interface Fault {
  name: string;
  version: string;
  object: string;
  path: string;
  message: string;
}

/** Checks manifests against Kubernetes' own schemas, unknown fields being faults. */
export async function schemaFaults(manifests: readonly Manifests[]): Promise<Fault[]> {
  const python = await schemaPython();
  const out = await mustRun(python, [script], { stdin: JSON.stringify(manifests) });
  return JSON.parse(out) as Fault[];
}
