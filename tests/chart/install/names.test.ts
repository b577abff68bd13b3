import { expect, it } from 'vitest';
import { helms } from '../support/chart.ts';
import { useControlPlane } from '../support/control-plane.ts';
import { Release } from '../support/release.ts';
import { expectAdmitted, sqlite } from '../support/state.ts';

const plane = useControlPlane();

it.concurrent.for([
  ['53 characters', 'a-release-name-as-long-as-helm-lets-one-be-that-is-53'],
  ['dots', 'v1.history.of.agents'],
  // The API server of the tests is of a Kubernetes that takes such names of Services.
  ['a digit at its beginning', '3agents'],
] as const)('installs a release whose name has %s', async ([, name]) => {
  for (const helm of helms) {
    const release = await Release.create(plane(), `named-${name.slice(0, 2)}-${helm}`, name);
    await release.upgrade(helm, sqlite.values);
    const [router] = await plane().client.list(release.namespace, 'Deployment');
    const [volume] = router.spec.template.spec.volumes.flatMap(
      (one: { persistentVolumeClaim?: { claimName: string } }) => one.persistentVolumeClaim ?? [],
    );
    expect(await release.claim(volume.claimName)).toBeDefined();
    const services = await plane().client.list(release.namespace, 'Service');
    const base = router.metadata.name;
    expect(services.map(({ metadata }) => metadata.name)).toEqual([base, `${base}-ops`]);
    // The same release goes on under the same names.
    await release.upgrade(helm, sqlite.values);
    await expectAdmitted(release, base);
  }
});
