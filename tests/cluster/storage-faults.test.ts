import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { eventually } from './support/eventually.ts';
import { createNamespace, type Namespace } from './support/namespace.ts';
import { startReachablePostgres } from './support/postgres.ts';
import {
  compare,
  journal,
  ROUTER_PORT,
  readiness,
  routerStats,
  storedIds,
  through,
} from './support/records.ts';
import { load, postgres, SQLITE } from './support/router-load.ts';
import { makeSmallVolume, type SmallVolume } from './support/small-volume.ts';

const RELEASE = 'agenttier';
const MEASURE_MS = 10_000;

/** The 99th percentile of the Router's own latency, over some seconds of load, in milliseconds. */
async function p99(namespace: Namespace): Promise<number> {
  const pod = (await namespace.routerPod()).metadata.name;
  await through(namespace, `pod/${pod}`, ROUTER_PORT, (router) =>
    fetch(`${router.url}/stats`, { method: 'DELETE' }),
  );
  await sleep(MEASURE_MS);
  const { latency, load: calls } = await routerStats(namespace, pod);
  expect(latency.count).toBeGreaterThan(200);
  expect(calls.failed).toBe(0);
  return latency.p99_ms;
}

/** Waits until storage is down for a reason. */
function untilDown(namespace: Namespace, why: RegExp): Promise<void> {
  return eventually(async () => {
    const { metadata } = await namespace.routerPod();
    const { storage, reason } = await readiness(namespace, metadata.name);
    expect(storage).toBe('down');
    expect(reason).toMatch(why);
  });
}

/** The Router is ready and as quick as before; then storage comes back without a restart, with all. */
async function expectUnharmed(
  namespace: Namespace,
  what: string,
  usual: number,
  mend: () => Promise<unknown>,
): Promise<void> {
  const down = await p99(namespace);
  console.log(`${what}: p99 ${down} ms, usually ${usual} ms`);
  // Both are some 0.2 ms. The machine that tests has moments of its own.
  expect(down).toBeLessThan(Math.max(usual * 2, 5));
  const { metadata, status } = await namespace.routerPod();
  expect(status.conditions).toContainEqual(
    expect.objectContaining({ type: 'Ready', status: 'True' }),
  );
  console.log(`${what}: ${(await readiness(namespace, metadata.name)).reason}`);

  await mend();
  const began = performance.now();
  await eventually(async () => {
    expect(await readiness(namespace, metadata.name)).toMatchObject({ storage: 'up' });
  });
  console.log(
    `${what}: storage was up ${Math.round(performance.now() - began)} ms after the mending`,
  );
  await eventually(async () => {
    const entries = (await journal(namespace, metadata.name)).filter(
      ({ outcome }) => outcome !== 'queued',
    );
    expect(entries.length).toBeGreaterThan(1_000);
    expect(compare(entries, await storedIds(namespace, metadata.name))).toMatchObject({
      ...{ missing: [], twice: [] },
    });
  });
  const { client } = await routerStats(namespace, metadata.name);
  expect(client).toMatchObject({ Dropped: 0, Rejected: 0 });
  const after = (await namespace.routerPod()).status;
  expect(after.initContainerStatuses[0].restartCount).toBe(0);
  expect(after.containerStatuses[0].restartCount).toBe(0);
  expect(status.conditions.find(isReady)).toEqual(after.conditions.find(isReady));
}

const isReady = ({ type }: { type: string }) => type === 'Ready';

it('the Router does not feel a volume that is full', async () => {
  await using namespace = await createNamespace('helm4', 'full');
  await using volume = await makeSmallVolume(namespace);
  await installOn(namespace, volume);
  const usual = await p99(namespace);

  await volume.fill();
  await untilDown(namespace, /ENOSPC/);
  await expectUnharmed(namespace, 'a full volume', usual, () => volume.empty());
});

it('the Router does not feel a volume that is read-only', async () => {
  await using namespace = await createNamespace('helm4', 'read-only');
  await using volume = await makeSmallVolume(namespace);
  await installOn(namespace, volume);
  const usual = await p99(namespace);

  // The kernel refuses it while a sidecar has a file open there.
  await namespace.kubectl('scale', `deployment/${RELEASE}-router`, '--replicas=0');
  await namespace.kubectl('wait', 'pods', '--all', '--for=delete', '--timeout=90s');
  await volume.remount('ro');
  await namespace.kubectl('scale', `deployment/${RELEASE}-router`, '--replicas=1');
  await namespace.rolledOut();
  await untilDown(namespace, /read-only|EROFS/i);
  await expectUnharmed(namespace, 'a read-only volume', usual, () => volume.remount('rw'));
});

async function installOn(namespace: Namespace, volume: SmallVolume): Promise<void> {
  await namespace.install(
    RELEASE,
    [...SQLITE, `optional.storage.sqlite.persistence.storageClassName=${volume.storageClass}`],
    ...load(100),
  );
  await namespace.rolledOut();
}

it('the Router does not feel a Postgres that is stopped', async () => {
  const { server, dsn } = await startReachablePostgres();
  await using _server = server;
  await using namespace = await createNamespace('helm3', 'stopped');
  const stringData = { dsn: dsn(await server.createDatabase()) };
  await namespace.apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db' }, stringData });
  await namespace.install(RELEASE, postgres('db'), ...load(100));
  await namespace.rolledOut();
  const usual = await p99(namespace);

  await server.stop();
  await untilDown(namespace, /cannot connect to Postgres|ECONNREFUSED/);
  await expectUnharmed(namespace, 'a stopped Postgres', usual, () => server.start());
});
