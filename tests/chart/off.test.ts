import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { program } from '../../scripts/tools/program.ts';
import { mustRun } from '../../scripts/tools/run.ts';
import { chart, helms } from './support/chart.ts';

// Of storage that is off nothing may be seen, wherever in the manifest. `secrets` in lower case is a
// resource of the Router's rights.
const traces =
  /PersistentVolumeClaim|claimName|secretKeyRef|secretRef|secretName|imagePullSecrets|kind: Secret|STORAGE_SQLITE|STORAGE_DSN|emptyDir|agenttier-db|history-claim/i;

const off = [
  {},
  { driver: 'postgres', dsnSecret: { name: 'agenttier-db', key: 'url' } },
  { driver: 'mysql', dsnSecret: { name: 'agenttier-db' } },
  { sqlite: { path: '/srv/a.db', persistence: { size: '5Gi', storageClassName: 'fast' } } },
  { sqlite: { persistence: { existingClaim: 'history-claim' } } },
  { sqlite: { persistence: { enabled: false } } },
  { sidecar: { native: false } },
  { sidecar: { enabled: false } },
  {
    sidecar: {
      extraVolumes: [{ name: 'history-claim', secret: { secretName: 'database-ca' } }],
      extraVolumeMounts: [{ name: 'history-claim', mountPath: '/etc/agenttier/ca' }],
    },
  },
  {
    sidecar: {
      extraInitContainers: [{ name: 'history-claim', image: 'proxy:1', restartPolicy: 'Always' }],
      extraEnv: [
        { name: 'HTTPS_PROXY', valueFrom: { secretKeyRef: { name: 'proxy', key: 'url' } } },
        { name: 'STORAGE_DSN_NOTE', value: 'off' },
      ],
    },
  },
  { podMonitor: { enabled: true }, networkPolicy: { enabled: true } },
].map((storage) => [JSON.stringify({ optional: { storage } })] as const);

beforeAll(async () => {
  for (const helm of helms) await program(helm);
}, 1_800_000);

describe.for(helms)('with %s, storage that is off', (helm) => {
  const template = async (values: string) => {
    const args = ['template', 'agenttier', chart, '--kube-version', '1.33.0', '--values', '-'];
    return mustRun(await program(helm), args, { stdin: values });
  };

  it.for(off)('leaves no trace in the manifest of %s', async ([values]) => {
    const lines = (await template(values)).split('\n');
    expect(lines.filter((line) => traces.test(line))).toEqual([]);
  });

  it('would be seen if it were on', async () => {
    const manifest = await template('{"optional":{"storage":{"enabled":true}}}');
    for (const trace of ['PersistentVolumeClaim', 'claimName', 'STORAGE_SQLITE_PATH']) {
      expect(manifest).toContain(trace);
    }
    const values = await readFile(new URL('values/postgres.yaml', import.meta.url), 'utf8');
    const server = await template(values);
    for (const trace of ['secretKeyRef', 'secretName', 'STORAGE_DSN', 'STORAGE_DSN_FILE']) {
      expect(server).toContain(trace);
    }
  });
});
