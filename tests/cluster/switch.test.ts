import { describe, expect, it } from 'vitest';
import { chart, helms } from '../chart/support/chart.ts';
import { eventually } from './support/eventually.ts';
import { createNamespace, type Namespace } from './support/namespace.ts';
import {
  compare,
  durable,
  readiness,
  routerStats,
  storageUp,
  storedIds,
} from './support/records.ts';
import { recording } from './support/values.ts';

// What the documents tell an operator to type.
const turn = (on: boolean) => [
  ...['upgrade', 'agenttier', chart, '--reset-then-reuse-values'],
  ...['--set', `optional.storage.enabled=${on}`],
];

/** A Pod is ready before its sidecar listens. */
function expectOff(namespace: Namespace, pod: string): Promise<void> {
  return eventually(async () => {
    expect(await readiness(namespace, pod)).toMatchObject({ storage: 'noop', reason: null });
  });
}

describe.concurrent.each(helms)('storage with %s', (helm) => {
  it('is a no-op by default, comes by one --set within a minute, and keeps its rows while it is off', async () => {
    await using namespace = await createNamespace(helm, 'switch');
    await namespace.install('agenttier', recording(20));
    await namespace.rolledOut();
    const pods = await namespace.routerPods();
    expect(pods).toHaveLength(2);
    for (const { metadata } of pods) {
      await expectOff(namespace, metadata.name);
      const { client, load } = await eventually(async () => {
        const stats = await routerStats(namespace, metadata.name);
        expect(stats.client.Unconfirmed).toBeGreaterThan(0);
        return stats;
      });
      expect(client).toMatchObject({ Stored: 0, Rejected: 0, Dropped: 0 });
      expect(load.failed).toBe(0);
      expect(await storedIds(namespace, metadata.name)).toEqual([]);
    }
    expect(await namespace.list('pvc')).toEqual([]);

    const began = performance.now();
    await namespace.helm(...turn(true));
    await namespace.rolledOut('agenttier', 60);
    const seconds = (performance.now() - began) / 1000;
    console.log(`${helm}: the Router was ready with storage after ${seconds.toFixed(1)} s`);
    expect(seconds).toBeLessThan(60);
    const { metadata: on } = await namespace.routerPod();
    expect(await storageUp(namespace, on.name)).toMatchObject({ driver: 'sqlite' });
    const entries = await durable(namespace, on.name, 10);
    expect(compare(entries, await storedIds(namespace, on.name))).toMatchObject({ lost: [] });

    const before = await namespace.find('pvc', 'agenttier-router-storage');
    await namespace.helm(...turn(false));
    await namespace.rolledOut();
    await expectOff(namespace, (await namespace.routerPods())[0].metadata.name);
    const kept = await namespace.find('pvc', 'agenttier-router-storage');
    expect(kept.metadata.uid).toBe(before.metadata.uid);
    expect(kept.status.phase).toBe('Bound');

    await namespace.helm(...turn(true));
    await namespace.rolledOut();
    const { metadata: again } = await namespace.routerPod();
    const stored = await storedIds(namespace, again.name);
    expect(compare(entries, stored)).toMatchObject({ lost: [], twice: [], missing: [] });
    expect(stored.length).toBeGreaterThan(entries.length);
  });
});
