import { expect, it, vi } from 'vitest';
import { chart, helms } from '../support/chart.ts';
import { useControlPlane } from '../support/control-plane.ts';
import { Release } from '../support/release.ts';
import { expectState, off, postgres, sqlite } from '../support/state.ts';

const plane = useControlPlane();
const size = 'optional.storage.sqlite.persistence.size';
const className = 'optional.storage.sqlite.persistence.storageClassName';

it.concurrent.for(helms)(
  'keeps the claim when storage goes off and when the release goes, and takes it again, with %s',
  async (helm) => {
    const release = await Release.create(plane(), `kept-${helm}`);
    await release.upgrade(helm, sqlite.values);
    const { uid } = (await release.claim()).metadata;

    await release.upgrade(helm, off.values);
    expect((await release.claim()).metadata.uid).toBe(uid);

    const said = await release.helm(helm, 'uninstall', release.name);
    expect(said).toMatch(
      /kept due to the resource policy:\s+\[PersistentVolumeClaim\] agenttier-router-storage/,
    );
    expect(await release.deployment()).toBeUndefined();

    await release.upgrade(helm, off.values);
    await expectState(release, off);
    await release.upgrade(helm, sqlite.values);
    await expectState(release, sqlite);
    const live = await release.claim();
    expect(live.metadata.uid).toBe(uid);
    expect(live.metadata.deletionTimestamp).toBeUndefined();
  },
);

it.concurrent.for(helms)(
  'lets the claim go with the release when told not to retain it, with %s',
  async (helm) => {
    const release = await Release.create(plane(), `dropped-${helm}`);
    const values = [...sqlite.values, 'optional.storage.sqlite.persistence.retain=false'];
    await release.upgrade(helm, values);
    await release.helm(helm, 'uninstall', release.name);
    // Its Pods have no node, so nothing protects it.
    await vi.waitFor(async () => expect(await release.claim()).toBeUndefined(), 60_000);
  },
);

it.concurrent.for(helms)(
  'keeps it all the same when it is named as the claim that exists, with %s',
  async (helm) => {
    const release = await Release.create(plane(), `named-${helm}`);
    const values = [...sqlite.values, 'optional.storage.sqlite.persistence.retain=false'];
    await release.upgrade(helm, values);
    const named = 'optional.storage.sqlite.persistence.existingClaim=agenttier-router-storage';
    await release.upgrade(helm, [...values, named]);
    await expectState(release, sqlite);
    const said = await release.helm(helm, 'uninstall', release.name);
    expect(said).toContain('[PersistentVolumeClaim] agenttier-router-storage');
    expect((await release.claim()).metadata.deletionTimestamp).toBeUndefined();
  },
);

it.concurrent.for(helms)(
  'keeps it all the same where the history is elsewhere when the release goes, with %s',
  async (helm) => {
    const release = await Release.create(plane(), `left-${helm}`);
    const retain = 'optional.storage.sqlite.persistence.retain=false';
    await release.upgrade(helm, [...sqlite.values, retain]);
    await release.upgrade(helm, [...postgres.values, retain]);
    await release.helm(helm, 'uninstall', release.name);
    expect((await release.claim()).metadata.deletionTimestamp).toBeUndefined();
    // Back in use it goes with the release.
    await release.upgrade(helm, [...sqlite.values, retain]);
    await release.helm(helm, 'uninstall', release.name);
    await vi.waitFor(async () => expect(await release.claim()).toBeUndefined(), 60_000);
  },
);

it.concurrent.for(helms)('lets it go by a rollback to before it as well, with %s', async (helm) => {
  const release = await Release.create(plane(), `rolled-back-${helm}`);
  await release.upgrade(helm, off.values);
  await release.upgrade(helm, [
    ...sqlite.values,
    'optional.storage.sqlite.persistence.retain=false',
  ]);
  await release.rollback(helm, 1);
  await vi.waitFor(async () => expect(await release.claim()).toBeUndefined(), 60_000);
});

it.concurrent('refuses another class than the live one, naming both', async () => {
  const release = await Release.create(plane(), 'reclassed');
  await boundClaim(release, 'helm4', true);
  const changed = release.upgrade('helm4', [...sqlite.values, `${className}=other-class`]);
  await expect(changed).rejects.toThrow(
    /reclassed-class[\s\S]*other-class|other-class[\s\S]*reclassed-class/,
  );
  // Without a class the live one stays.
  await release.upgrade('helm4', sqlite.values);
  expect((await release.claim()).spec.storageClassName).toBe('reclassed-class');
});

it.concurrent.for(helms)(
  'asks a live claim to grow where its class allows it, and never to shrink, with %s',
  async (helm) => {
    const release = await Release.create(plane(), `grown-${helm}`);
    const values = await boundClaim(release, helm, true);
    expect(await requested(release)).toBe('1Gi');
    await release.upgrade(helm, [...values, `${size}=3Gi`]);
    expect(await requested(release)).toBe('3Gi');
    await release.upgrade(helm, [...values, `${size}=2Gi`]);
    expect(await requested(release)).toBe('3Gi');
    await release.upgrade(helm, off.values);
    expect(await requested(release)).toBe('3Gi');
    // A rollback renders nothing anew, so that it would shrink the claim; an upgrade does not.
    await expect(release.rollback(helm, 1)).rejects.toThrow('can not be less than status.capacity');
    await release.upgrade(helm, values);
    await expectState(release, sqlite);
    expect(await requested(release)).toBe('3Gi');
  },
);

it.concurrent.for(helms)(
  'refuses to grow a live claim whose class does not allow it, before anything changes, with %s',
  async (helm) => {
    const release = await Release.create(plane(), `fixed-${helm}`);
    const values = await boundClaim(release, helm, false);
    const { generation } = (await release.deployment()).metadata;
    const grown = release.upgrade(helm, [...values, `${size}=3Gi`, 'router.service.port=80']);
    await expect(grown).rejects.toThrow(`its class fixed-${helm}-class does not allow volumes`);
    expect((await release.deployment()).metadata.generation).toBe(generation);
    expect(await requested(release)).toBe('1Gi');
  },
);

it.concurrent.for(helms)(
  'uses a claim that exists, under the name of its own too, and owns none, with %s',
  async (helm) => {
    const release = await Release.create(plane(), `given-${helm}`);
    const { client } = release.plane;
    const resources = { requests: { storage: '1Gi' } };
    const spec = { accessModes: ['ReadWriteOnce'], resources };
    await client.create(release.namespace, 'PersistentVolumeClaim', {
      metadata: { name: 'agenttier-router-storage' },
      spec,
    });
    await expect(release.upgrade(helm, sqlite.values)).rejects.toThrow(
      'Set optional.storage.sqlite.persistence.existingClaim=agenttier-router-storage',
    );
    const existing = (name: string) => [
      ...sqlite.values,
      `optional.storage.sqlite.persistence.existingClaim=${name}`,
    ];
    await release.upgrade(helm, existing('agenttier-router-storage'));
    await expectState(release, sqlite);
    await expect(release.upgrade(helm, existing('typo'))).rejects.toThrow(
      `namespace ${release.namespace} has no claim of that name`,
    );
    await release.helm(helm, 'uninstall', release.name);
    const live = await release.claim();
    expect(live.metadata.deletionTimestamp).toBeUndefined();
    expect(live.metadata.annotations?.['meta.helm.sh/release-name']).toBeUndefined();
  },
);

it.concurrent.for(helms)(
  'takes over a claim that was moved from another namespace by the command of the refusal, with %s',
  async (helm) => {
    const release = await Release.create(plane(), `moved-${helm}`);
    await release.plane.client.create(release.namespace, 'PersistentVolumeClaim', {
      metadata: {
        name: 'agenttier-router-storage',
        labels: { 'app.kubernetes.io/managed-by': 'Helm' },
        annotations: {
          'meta.helm.sh/release-name': release.name,
          'meta.helm.sh/release-namespace': 'before',
        },
      },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    });
    const refused = release.upgrade(helm, sqlite.values);
    await expect(refused).rejects.toThrow('it is of release agenttier in namespace before');
    const message = await refused.catch((error: Error) => error.message);
    const command = /kubectl (annotate pvc .* --overwrite)/.exec(message)?.[1] ?? '';
    await release.kubectl(...command.split(' '));
    await release.upgrade(helm, sqlite.values);
    await expectState(release, sqlite);
  },
);

it.concurrent.for(helms)(
  'tells of a class that is not there, and has another one by the commands of the notes, with %s',
  async (helm) => {
    const release = await Release.create(plane(), `unclassed-${helm}`);
    const missing = [...sqlite.values, `${className}=missing`];
    expect(await release.upgrade(helm, missing)).not.toContain('is not in this cluster');
    const notes = await release.upgrade(helm, missing);
    expect(notes).toContain('its class missing is not in this cluster');
    const command = /^ {2}kubectl (delete pvc .*)$/m.exec(notes)?.[1] ?? '';
    await release.kubectl(...command.split(' '));
    const value = /--set (\S+)=CLASS$/m.exec(notes)?.[1];
    await release.upgrade(helm, [`${value}=other`], '--reset-then-reuse-values');
    expect((await release.claim()).spec.storageClassName).toBe('other');
  },
);

it.concurrent.for(helms)(
  'names the claim that a release of another name left, and goes on with it, with %s',
  async (helm) => {
    const former = await Release.create(plane(), `renamed-${helm}`, 'former');
    await former.upgrade(helm, sqlite.values);
    const install = (...flags: string[]) =>
      former.helm(helm, 'upgrade', '--install', 'later', chart, ...flags);
    const storage = ['--set', 'optional.storage.enabled=true'];
    // One in use is nobody else's.
    expect(await install(...storage, '--dry-run=server')).not.toContain('BEGINS ANEW');
    await former.helm(helm, 'uninstall', 'former');
    const said = 'without their Router: former-router-storage (of release former)';
    expect(await install(...storage, '--dry-run=server')).toContain(said);
    const named = 'optional.storage.sqlite.persistence.existingClaim=former-router-storage';
    expect(await install(...storage, '--set', named)).not.toContain('BEGINS ANEW');
    expect(await former.claim('later-router-storage')).toBeUndefined();
  },
);

/** Installs with a class of the test's own and waits until the claim is bound to a volume. */
async function boundClaim(release: Release, helm: 'helm3' | 'helm4', expandable: boolean) {
  const { client } = release.plane;
  const storageClassName = `${release.namespace}-class`;
  await client.createGlobal('StorageClass', {
    metadata: { name: storageClassName },
    provisioner: 'kubernetes.io/no-provisioner',
    allowVolumeExpansion: expandable,
  });
  await client.createGlobal('PersistentVolume', {
    metadata: { name: `${release.namespace}-volume` },
    spec: {
      storageClassName,
      accessModes: ['ReadWriteOnce'],
      capacity: { storage: '1Gi' },
      hostPath: { path: '/nowhere' },
    },
  });
  const values = [...sqlite.values, `${className}=${storageClassName}`];
  await release.upgrade(helm, values);
  const phase = async () => (await release.claim()).status.phase;
  await vi.waitFor(async () => expect(await phase()).toBe('Bound'), 60_000);
  return values;
}

async function requested(release: Release): Promise<string> {
  return (await release.claim()).spec.resources.requests.storage;
}
