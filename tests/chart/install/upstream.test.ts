import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { type Helm, helms } from '../support/chart.ts';
import { useControlPlane } from '../support/control-plane.ts';
import { Release } from '../support/release.ts';
import { expectState, off, sqlite } from '../support/state.ts';

const plane = useControlPlane();
const upstream = fileURLToPath(new URL('../fixtures/upstream', import.meta.url));

it.concurrent.for(helms)(
  'takes the claim over that AgentTier’s own chart left behind, with %s',
  async (helm) => {
    const release = await Release.create(plane(), `taken-over-${helm}`);
    const withUpstream = (...flags: string[]) =>
      release.helm(helm, 'upgrade', '--install', release.name, upstream, ...flags);
    await withUpstream('--set', 'optional.storage.enabled=true');
    const { uid } = (await release.claim()).metadata;

    const claim = 'persistentvolumeclaim/agenttier-router-storage';
    await release.kubectl('annotate', claim, 'helm.sh/resource-policy=keep');
    await withUpstream('--set', 'optional.storage.enabled=false');
    await release.helm(helm, 'uninstall', release.name);

    await release.upgrade(helm, sqlite.values);
    await expectState(release, sqlite);
    expect((await release.claim()).metadata.uid).toBe(uid);
  },
);

it.concurrent.for([
  ['agenttier', 'agenttier-controller', []],
  ['agents', 'agents-agenttier-controller', []],
  ['agents', 'mine-controller', ['--set', 'fullnameOverride=mine']],
] as const)(
  'refuses to replace the whole of AgentTier, release %s with %s',
  async ([name, controller, flags]) => {
    const release = await Release.create(plane(), `replaced-${controller}`, name);
    await release.helm('helm3', 'install', name, upstream, ...flags);
    for (const helm of helms) {
      const replaced = release.upgrade(helm, off.values, ...flags);
      await expect(replaced).rejects.toThrow(controller);
      await expect(replaced).rejects.toThrow('optional.storage.upgrade.replaceUpstream');
    }
    const live = await plane().client.find(release.namespace, 'Deployment', controller);
    expect(live.metadata.deletionTimestamp).toBeUndefined();
  },
);

// Upstream's Deployment leaves its rollout to the API server's default. Nobody owns that, so Helm 4's
// server-side apply cannot take it away, and the API server refuses it beside Recreate.
it.concurrent.for<[string, Helm, string[]]>([
  ['Helm 3', 'helm3', []],
  ['Helm 4 and client-side apply', 'helm4', ['--server-side=false']],
])('replaces the whole of AgentTier when told so, with %s', async ([, helm, flags]) => {
  const release = await Release.create(plane(), `agreed-${helm}`);
  await release.helm(helm, 'install', release.name, upstream);
  const values = [...sqlite.values, 'optional.storage.upgrade.replaceUpstream=true'];
  if (helm === 'helm4') {
    await expect(release.upgrade(helm, values)).rejects.toThrow(/rollingUpdate: Forbidden/);
  }
  await release.upgrade(helm, values, ...flags);
  await expectState(release, sqlite);
  const controller = `${release.name}-controller`;
  const { client } = plane();
  expect(await client.find(release.namespace, 'Deployment', controller)).toBeUndefined();
});
