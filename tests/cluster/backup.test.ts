import { expect, it } from 'vitest';
import { chart } from '../chart/support/chart.ts';
import { onClaim, writeToClaim } from './support/claim.ts';
import { createNamespace, type Namespace } from './support/namespace.ts';
import { compare, durable, storedIds } from './support/records.ts';
import { recording, sqlite } from './support/values.ts';

const CLAIM = 'agenttier-router-storage';

async function scale(namespace: Namespace, replicas: 0 | 1): Promise<void> {
  await namespace.helm(
    ...['upgrade', 'agenttier', chart, '--reset-then-reuse-values'],
    ...['--set', `router.replicas=${replicas}`],
  );
  if (replicas === 1) return namespace.rolledOut();
  const pods = ['pod', '-l', 'app.kubernetes.io/instance=agenttier'];
  await namespace.kubectl('wait', '--for=delete', ...pods, '--timeout=120s');
}

it('a stopped sidecar leaves one file, which is the backup, and comes back from it', async () => {
  await using namespace = await createNamespace('helm4', 'backup');
  await namespace.install('agenttier', [...sqlite, ...recording(20)]);
  await namespace.rolledOut();
  const first = (await namespace.routerPod()).metadata.name;
  const entries = await durable(namespace, first, 10);

  await scale(namespace, 0);
  const files = await onClaim(namespace, CLAIM, "console.log(fs.readdirSync('/data').join())");
  expect(files.trim()).toBe('agenttier.db');
  const print = "fs.writeSync(1, fs.readFileSync('/data/agenttier.db', 'base64'))";
  const copy = Buffer.from(await onClaim(namespace, CLAIM, print), 'base64');
  expect(copy.subarray(0, 15).toString()).toBe('SQLite format 3');
  await onClaim(namespace, CLAIM, "fs.rmSync('/data/agenttier.db')");

  await writeToClaim(namespace, CLAIM, 'agenttier.db', copy);
  await scale(namespace, 1);
  const { name } = (await namespace.routerPod()).metadata;
  expect(compare(entries, await storedIds(namespace, name))).toMatchObject({
    lost: [],
    twice: [],
    missing: [],
  });
});
