import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { temporaryDirectory } from '../sidecar/support/temporary-directory.ts';
import { Cluster } from './support/cluster.ts';

const PREFIX = '10.208';
const IMAGE = 'localhost/agenttier-storage:cluster-test';

/** Writes to its volume as an unprivileged user, looks names up, and tells of both in its log. */
const PROGRAM = `
const { lookup } = require('node:dns/promises');
require('node:fs').writeFileSync('/data/file', 'x');
(async () => {
  console.log((await lookup('kubernetes.default.svc')).address);
  console.log(await lookup('nowhere.example').catch(({ code }) => code));
})();`;

const MANIFEST = JSON.stringify({
  apiVersion: 'v1',
  kind: 'List',
  items: [
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'data' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'probe' },
      spec: {
        restartPolicy: 'Never',
        securityContext: { runAsNonRoot: true, fsGroup: 65_532 },
        containers: [
          {
            name: 'probe',
            image: IMAGE,
            command: ['/usr/local/bin/node', '-e', PROGRAM],
            volumeMounts: [{ name: 'data', mountPath: '/data' }],
          },
        ],
        volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }],
      },
    },
  ],
});

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let cluster: Cluster;

beforeAll(async () => {
  directory = await temporaryDirectory();
  cluster = new Cluster(directory.path('cluster'), PREFIX);
  const image = fileURLToPath(new URL('../../scripts/image', import.meta.url));
  execFileSync(image, ['--local-base', IMAGE], { stdio: ['ignore', 'ignore', 'inherit'] });
  cluster.run('up');
});

afterAll(async () => {
  cluster.run('down');
  execFileSync('buildah', ['rmi', IMAGE], { stdio: 'ignore' });
  await directory[Symbol.asyncDispose]();
});

it('runs an unprivileged Pod with a volume of its own and the names of the cluster', () => {
  cluster.run('load', IMAGE);
  cluster.kubectl(['apply', '-f', '-'], MANIFEST);
  cluster.kubectl([
    'wait',
    'pod/probe',
    '--for=jsonpath={.status.phase}=Succeeded',
    '--timeout=60s',
  ]);
  expect(cluster.kubectl(['logs', 'probe']).trim().split('\n')).toEqual([
    `${PREFIX}.2.1`,
    'ENOTFOUND',
  ]);
});

it('begins with an empty etcd and empty volumes when it comes up again', () => {
  cluster.run('up');
  expect(cluster.kubectl(['get', 'pods,pvc', '--all-namespaces', '-o', 'name'])).toBe('');
  expect(cluster.kubectl(['get', 'pv', '-o', 'jsonpath={.items[*].status.phase}'])).toMatch(
    /^(Available ?)+$/,
  );
  expect(cluster.run('exec', 'find', directory.path('cluster/volumes'), '-type', 'f')).toBe('');
});

it('leaves no file, mount, network or process behind', () => {
  cluster.run('down');
  expect(existsSync(directory.path('cluster'))).toBe(false);
  expect(readFileSync('/proc/mounts', 'utf8')).not.toContain(directory.root);
  expect(Object.keys(networkInterfaces())).not.toContain(`agt-${PREFIX.replace('.', '-')}`);
  expect(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })).not.toContain(directory.root);
});
