import { describe, expect, it } from 'vitest';
import { helms } from '../chart/support/chart.ts';
import { createNamespace, type Namespace } from './support/namespace.ts';
import { compare, durable, type JournalEntry, storageUp, storedIds } from './support/records.ts';
import { recording, sqlite } from './support/values.ts';

const VALUES = [...sqlite, ...recording(20)];

/** What a release's Router has been told is durable. */
async function durableOf(namespace: Namespace, release: string): Promise<JournalEntry[]> {
  return durable(namespace, (await namespace.routerPod(release)).metadata.name, 10);
}

async function stored(namespace: Namespace, release: string): Promise<string[]> {
  return storedIds(namespace, (await namespace.routerPod(release)).metadata.name);
}

async function uninstalled(namespace: Namespace, release: string): Promise<string> {
  const text = await namespace.helm('uninstall', release);
  const label = `app.kubernetes.io/instance=${release},app.kubernetes.io/component=router`;
  const pods = ['pod', '-l', label];
  await namespace.kubectl('wait', '--for=delete', ...pods, '--timeout=120s');
  return text;
}

describe.concurrent.each(helms)('after helm uninstall with %s', (helm) => {
  it('the claim stays, as is said, and an install of the same name has its rows; another release beside it is left alone', async () => {
    await using namespace = await createNamespace(helm, 'uninstall');
    for (const release of ['agenttier', 'second']) await namespace.install(release, VALUES);
    for (const release of ['agenttier', 'second']) await namespace.rolledOut(release);
    const first = await durableOf(namespace, 'agenttier');
    const second = await durableOf(namespace, 'second');
    // Each has rows of its own alone.
    const ids = new Set(await stored(namespace, 'second'));
    expect(first.filter(({ event_id }) => ids.has(event_id))).toEqual([]);

    const claim = await namespace.find('pvc', 'agenttier-router-storage');
    const said = await uninstalled(namespace, 'agenttier');
    expect(said).toMatch(/resource policy/);
    expect(said).toContain('agenttier-router-storage');
    const kept = await namespace.find('pvc', 'agenttier-router-storage');
    expect(kept?.metadata.uid).toBe(claim?.metadata.uid);
    expect(kept?.status.phase).toBe('Bound');
    expect(await namespace.find('deployment', 'agenttier-router')).toBeUndefined();

    expect(compare(second, await stored(namespace, 'second'))).toMatchObject({
      lost: [],
      twice: [],
    });
    await namespace.install('agenttier', VALUES);
    await namespace.rolledOut();
    expect(compare(first, await stored(namespace, 'agenttier'))).toMatchObject({
      lost: [],
      twice: [],
    });
  });
});

describe.concurrent.each(helms)('a release name of 53 characters with %s', (helm) => {
  it('has its Router, its claim, and a passing helm test', async () => {
    await using namespace = await createNamespace(helm, 'long');
    const release = `agenttier-${'of-the-team-with-the-longest-name-of-all-teams'.slice(0, 43)}`;
    expect(release).toHaveLength(53);
    await namespace.install(release, VALUES, '--wait', '--timeout=120s');
    const [pod] = await namespace.routerPods(release);
    const { name } = pod?.metadata ?? {};
    expect(await storageUp(namespace, name)).toMatchObject({ driver: 'sqlite' });
    const entries = await durable(namespace, name, 10);
    expect(compare(entries, await storedIds(namespace, name)).lost).toEqual([]);
    await namespace.helm('test', release);
    await uninstalled(namespace, release);
    const claims = await namespace.list('pvc');
    expect(claims.map(({ metadata }) => metadata.name)).toEqual([
      expect.stringMatching(/^agenttier-of-the-team-.*-router-storage$/),
    ]);
  });
});
