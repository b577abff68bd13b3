import { expect, it, vi } from 'vitest';
import { helms } from '../support/chart.ts';
import { useControlPlane } from '../support/control-plane.ts';
import { Release } from '../support/release.ts';
import { off, postgres } from '../support/state.ts';

const plane = useControlPlane();
const autoscaled = ['router.autoscaling.enabled=true', 'router.autoscaling.maxReplicas=9'];
const replicas = async (release: Release) => (await release.deployment()).spec.replicas;
const another = 'router.podAnnotations.turn=';

/** Scales by the subresource, as an autoscaler does. */
function scale(release: Release, number: number): Promise<string> {
  return release.kubectl('scale', 'deployment/agenttier-router', `--replicas=${number}`);
}

it.concurrent.for(helms)(
  'hands the number of Pods over to the autoscaler without a dip, with %s',
  async (helm) => {
    const release = await Release.create(plane(), `handed-${helm}`);
    await release.upgrade(helm, [...postgres.values, 'router.replicas=4']);
    const values = [...postgres.values, ...autoscaled];
    await release.upgrade(helm, values);
    expect(await replicas(release)).toBe(4);
    // The autoscaler has not set it yet.
    await release.upgrade(helm, [...values, `${another}a`]);
    expect(await replicas(release)).toBe(4);

    await scale(release, 6);
    for (const turn of ['b', 'c']) {
      await release.upgrade(helm, [...values, `${another}${turn}`]);
      expect(await replicas(release)).toBe(6);
    }
    await scale(release, 5);
    await release.rollback(helm, 4);
    // Helm 3 has to go on saying a number, and an older revision says an older one.
    expect(await replicas(release)).toBe(helm === 'helm3' ? 6 : 5);
  },
);

it.concurrent.for(helms)(
  'leaves the number of Pods to the autoscaler from the beginning, with %s',
  async (helm) => {
    const release = await Release.create(plane(), `fresh-${helm}`);
    const values = [...off.values, ...autoscaled];
    await release.upgrade(helm, values);
    // One Pod is fewer than the least number, whatever the metrics say.
    await vi.waitFor(async () => expect(await replicas(release)).toBe(2), {
      timeout: 60_000,
      interval: 500,
    });
    await scale(release, 6);
    await release.upgrade(helm, [...values, `${another}a`]);
    expect(await replicas(release)).toBe(6);
    await release.rollback(helm, 1);
    expect(await replicas(release)).toBe(6);
  },
);

it.concurrent.for(helms)('takes the number back when it goes, with %s', async (helm) => {
  const release = await Release.create(plane(), `back-${helm}`);
  await release.upgrade(helm, [...off.values, ...autoscaled]);
  await scale(release, 6);
  await release.upgrade(helm, off.values);
  expect(await replicas(release)).toBe(2);
});

it.concurrent('takes a number that was handed over back with Helm 4 by --force-conflicts', async () => {
  const release = await Release.create(plane(), 'back-conflict');
  await release.upgrade('helm4', off.values);
  await release.upgrade('helm4', [...off.values, ...autoscaled]);
  await scale(release, 6);
  await expect(release.upgrade('helm4', off.values)).rejects.toThrow(
    /conflict[\s\S]*\.spec\.replicas/,
  );
  // The same number is no conflict.
  await release.upgrade('helm4', [...off.values, 'router.replicas=6']);
  await scale(release, 5);
  await release.upgrade('helm4', off.values, '--force-conflicts');
  expect(await replicas(release)).toBe(2);
});
