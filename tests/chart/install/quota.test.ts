import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import type { KubernetesObject } from '../control-plane/client.ts';
import { useControlPlane } from '../support/control-plane.ts';
import { Release } from '../support/release.ts';
import { off } from '../support/state.ts';

const plane = useControlPlane();
const wait = { timeout: 60_000, interval: 100 };

/** Makes an object in the namespace of a release. */
async function apply(release: Release, object: object): Promise<void> {
  const manifest = join(plane().kubeconfig, '..', `${release.namespace}.json`);
  await writeFile(manifest, JSON.stringify({ apiVersion: 'v1', ...object }));
  await release.kubectl('apply', '-f', manifest);
}

it.concurrent('runs where a quota names the limit of the processor, once the sidecar has one', async () => {
  const release = await Release.create(plane(), 'quota');
  await apply(release, {
    kind: 'ResourceQuota',
    metadata: { name: 'compute' },
    spec: { hard: { 'limits.cpu': '20' } },
  });
  await vi.waitFor(
    async () => expect(await release.kubectl('get', 'quota')).toContain('0/20'),
    wait,
  );
  await release.upgrade('helm4', off.values);
  await vi.waitFor(async () => {
    const { conditions = [] } = (await release.deployment()).status;
    const messages = conditions.map(({ message }: KubernetesObject) => message).join();
    expect(messages).toContain('must specify limits.cpu for: storage');
  }, wait);
  const limit = 'optional.storage.sidecar.resources.limits.cpu=1';
  await release.upgrade('helm4', [...off.values, limit]);
  await vi.waitFor(
    async () => expect(await plane().client.list(release.namespace, 'Pod')).not.toEqual([]),
    wait,
  );
});

it.concurrent('has a test that runs where the ratio of limits to requests is bounded', async () => {
  const release = await Release.create(plane(), 'ratio');
  const limit = { type: 'Container', maxLimitRequestRatio: { cpu: '1', memory: '1' } };
  await apply(release, {
    kind: 'LimitRange',
    metadata: { name: 'ratio' },
    spec: { limits: [limit] },
  });
  await release.upgrade('helm4', off.values);
  const hook = join(plane().kubeconfig, '..', 'ratio-hook.yaml');
  await writeFile(hook, await release.helm('helm4', 'get', 'hooks', release.name));
  const created = await release.kubectl('create', '--dry-run=server', '-f', hook);
  expect(created).toContain('pod/agenttier-storage-test created');
});
