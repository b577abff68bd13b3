import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { Namespace } from './namespace.ts';

const { version } = parse(
  readFileSync(new URL('../../../chart/Chart.yaml', import.meta.url), 'utf8'),
) as { version: string };

/** The sidecar's image by the name that the chart asks for. */
export const SIDECAR_IMAGE = `ghcr.io/agenttier/storage-sidecar:${version}`;

const NODE = '/usr/local/bin/node';

/**
 * Runs a program of Node in a Pod that mounts a claim at /data; its image has no shell.
 *
 * @param input what it is given, in base64 where it is not text
 * @returns what it printed
 */
export async function onClaim(
  namespace: Namespace,
  claim: string,
  program: string,
  input = '',
): Promise<string> {
  const name = `volume-${randomBytes(3).toString('hex')}`;
  await namespace.apply(podOf(name, claim));
  try {
    await namespace.kubectl('wait', `pod/${name}`, '--for=condition=Ready', '--timeout=60s');
    return await namespace.pipe(input, 'exec', '-i', name, '--', NODE, '-e', program);
  } finally {
    await namespace.kubectl('delete', 'pod', name, '--grace-period=1');
  }
}

/** Writes a file to a claim. */
export async function writeToClaim(
  namespace: Namespace,
  claim: string,
  file: string,
  content: Buffer,
): Promise<void> {
  const program = `fs.writeFileSync('/data/${file}', Buffer.from(fs.readFileSync(0, 'utf8'), 'base64'))`;
  await onClaim(namespace, claim, program, content.toString('base64'));
}

function podOf(name: string, claim: string): object {
  const user = { runAsNonRoot: true, runAsUser: 65_532, runAsGroup: 65_532, fsGroup: 65_532 };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      automountServiceAccountToken: false,
      securityContext: { ...user, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'volume',
          image: SIDECAR_IMAGE,
          command: [NODE, '-e', 'setInterval(() => {}, 1e6)'],
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
          volumeMounts: [{ name: 'data', mountPath: '/data' }],
        },
      ],
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName: claim } }],
    },
  };
}
