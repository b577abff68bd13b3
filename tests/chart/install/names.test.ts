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

it.concurrent.for(helms)(
  'refuses other names before anything changes, and goes on with the claim that is named, with %s',
  async (helm) => {
    const release = await Release.create(plane(), `other-name-${helm}`);
    await release.upgrade(helm, sqlite.values);
    const { generation } = (await release.deployment()).metadata;
    const { uid } = (await release.claim()).metadata;
    await expect(release.upgrade(helm, [...sqlite.values, 'nameOverride=history'])).rejects.toThrow(
      /Set nameOverride=agenttier/,
    );
    const renamed = [...sqlite.values, 'fullnameOverride=history'];
    await expect(release.upgrade(helm, renamed)).rejects.toThrow(
      /existingClaim=agenttier-router-storage/,
    );
    expect((await release.deployment()).metadata.generation).toBe(generation);

    const named = 'optional.storage.sqlite.persistence.existingClaim=agenttier-router-storage';
    await release.upgrade(helm, [...renamed, named]);
    expect(await release.deployment()).toBeUndefined();
    const { volumes } = (await release.deployment('history-router')).spec.template.spec;
    expect(JSON.stringify(volumes)).toContain('"agenttier-router-storage"');
    const claim = await release.claim();
    expect(claim.metadata.uid).toBe(uid);
    expect(claim.metadata.deletionTimestamp).toBeUndefined();
  },
);

it.concurrent.for(helms)(
  'has a claim kept that the change of a name would delete, with %s',
  async (helm) => {
    const release = await Release.create(plane(), `unkept-${helm}`);
    const values = [...sqlite.values, 'optional.storage.sqlite.persistence.retain=false'];
    await release.upgrade(helm, values);
    const named = 'optional.storage.sqlite.persistence.existingClaim=agenttier-router-storage';
    const renamed = [...values, 'fullnameOverride=history', named];
    const refused = release.upgrade(helm, renamed);
    await expect(refused).rejects.toThrow(/this upgrade would delete it, with all records/);
    const command = /kubectl (annotate pvc .*=keep)$/m.exec(
      await refused.catch((error: Error) => error.message),
    )?.[1];
    await release.kubectl(...(command ?? '').split(' '));
    await release.upgrade(helm, renamed);
    expect((await release.claim()).metadata.deletionTimestamp).toBeUndefined();
    await release.upgrade(helm, [...renamed, 'router.service.port=80']);
    expect((await release.claim()).metadata.deletionTimestamp).toBeUndefined();
  },
);
