import { expect, it } from 'vitest';
import type { Helm } from '../support/chart.ts';
import { useControlPlane } from '../support/control-plane.ts';
import { Release } from '../support/release.ts';
import { expectState, off, postgres, sqlite } from '../support/state.ts';

const plane = useControlPlane();

// Each ordered pair once, in one walk whose end is its beginning.
const walk = [sqlite, postgres, off, postgres, sqlite, off];

// Each runs thirteen commands of Helm; a busy machine needs its time.
it.concurrent.for<[string, Helm, Helm]>([
  ['with Helm 3', 'helm3', 'helm3'],
  ['with Helm 4', 'helm4', 'helm4'],
  ['with Helm 3 and 4 in turns', 'helm3', 'helm4'],
])(
  'goes between off, sqlite and postgres %s, forward and by rollback',
  { timeout: 600_000 },
  async ([, odd, even]) => {
    const release = await Release.create(plane(), `walk-${odd}-${even}`);
    const turn = (revision: number) => (revision % 2 === 1 ? odd : even);
    let revision = 1;
    await release.upgrade(turn(revision), off.values);
    await expectState(release, off);
    expect(await release.claim()).toBeUndefined();

    for (const state of walk) {
      revision += 1;
      await release.upgrade(turn(revision), state.values);
      await expectState(release, state);
    }
    const { uid } = (await release.claim()).metadata;
    for (const [step, state] of walk.entries()) {
      revision += 1;
      await release.rollback(turn(revision), step + 2);
      await expectState(release, state);
    }
    expect((await release.claim()).metadata.uid).toBe(uid);
  },
);

it.concurrent('takes the number of Pods back with Helm 3 after it was scaled by hand', async () => {
  const release = await Release.create(plane(), 'scaled-helm3');
  await release.upgrade('helm3', sqlite.values);
  await release.kubectl('scale', 'deployment/agenttier-router', '--replicas=3');
  await release.upgrade('helm3', sqlite.values);
  await expectState(release, sqlite);
});

it.concurrent('takes the number of Pods back with Helm 4 after it was scaled by hand, by --force-conflicts', async () => {
  const release = await Release.create(plane(), 'scaled-helm4');
  await release.upgrade('helm4', off.values);
  // The same number is no conflict.
  await release.kubectl('scale', 'deployment/agenttier-router', '--replicas=2');
  await release.upgrade('helm4', off.values);
  await release.kubectl('scale', 'deployment/agenttier-router', '--replicas=3');
  await expect(release.upgrade('helm4', sqlite.values)).rejects.toThrow(
    /conflict.*kubectl[\s\S]*\.spec\.replicas/,
  );
  await release.upgrade('helm4', sqlite.values, '--force-conflicts');
  await expectState(release, sqlite);
});

it.concurrent.for<Helm>(['helm3', 'helm4'])(
  'comes back from before the first claim by an upgrade, with %s',
  async (helm) => {
    const release = await Release.create(plane(), `hole-${helm}`);
    await release.upgrade(helm, off.values);
    await release.upgrade(helm, sqlite.values);
    await release.rollback(helm, 1);
    await expectState(release, off);
    const { uid } = (await release.claim()).metadata;

    await expect(release.rollback(helm, 2)).rejects.toThrow(/agenttier-router-storage/);
    await release.upgrade(helm, sqlite.values);
    await expectState(release, sqlite);
    expect((await release.claim()).metadata.uid).toBe(uid);
  },
);

it.concurrent.for<Helm>(['helm3', 'helm4'])(
  'keeps what was set when an upgrade sets nothing or says so, with %s',
  async (helm) => {
    const release = await Release.create(plane(), `values-${helm}`);
    await release.upgrade(helm, sqlite.values);
    await release.upgrade(helm, []);
    await expectState(release, sqlite);
    await release.upgrade(helm, ['router.service.port=80'], '--reset-then-reuse-values');
    await expectState(release, sqlite);
    await release.upgrade(helm, ['router.service.port=80']);
    await expectState(release, off);
  },
);

// As the README and the notes stop the Router and start it again.
it.concurrent.for<Helm>(['helm3', 'helm4'])(
  'starts a stopped Router without a number that later upgrades keep, with %s',
  async (helm) => {
    const release = await Release.create(plane(), `stopped-${helm}`);
    const flag = '--reset-then-reuse-values';
    await release.upgrade(helm, sqlite.values);
    const said = await release.upgrade(helm, ['router.replicas=0'], flag);
    expect((await release.deployment()).spec.replicas).toBe(0);
    const start = /THE ROUTER IS STOPPED.*\n.*--set (\S+)$/m.exec(said)?.[1] ?? 'none';
    await release.upgrade(helm, [start], flag);
    await expectState(release, sqlite);
    await release.upgrade(helm, postgres.values, flag);
    await expectState(release, postgres);
    await release.upgrade(helm, ['router.autoscaling.enabled=true'], flag);
  },
);

it('would refuse a Pod that is not restricted', async () => {
  const { client } = plane();
  await Release.create(plane(), 'restricted');
  const spec = { containers: [{ name: 'a', image: 'a' }] };
  const pod = client.create('restricted', 'Pod', { metadata: { name: 'a' }, spec });
  await expect(pod).rejects.toThrow(/violates PodSecurity/);
});
