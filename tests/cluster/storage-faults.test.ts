import { describe, expect, it } from 'vitest';
import type { KubernetesObject } from '../chart/control-plane/client.ts';
import { accountsAtRest, expectAgreement } from './support/accounts.ts';
import { eventually } from './support/eventually.ts';
import { successor } from './support/followed-router.ts';
import { expectAsQuick } from './support/latency.ts';
import { createNamespace, type Namespace } from './support/namespace.ts';
import { startReachablePostgres } from './support/postgres.ts';
import { compare, durable, journal, readiness, storageUp, storedIds } from './support/records.ts';
import { load, postgres, SQLITE } from './support/router-load.ts';
import { makeSmallVolume, type SmallVolume } from './support/small-volume.ts';

const RELEASE = 'agenttier';
/** A release whose storage works all the time. */
const UNHARMED = 'unharmed';

/** Waits until storage is down for a reason. */
function untilDown(namespace: Namespace, why: RegExp): Promise<void> {
  return eventually(async () => {
    const { metadata } = await namespace.routerPod();
    const { storage, reason } = await readiness(namespace, metadata.name);
    expect(storage).toBe('down');
    expect(reason).toMatch(why);
  });
}

/** Since when the Pod is ready, and what has been restarted in it. */
function standing({ metadata, status }: KubernetesObject): object {
  const containers = [...status.initContainerStatuses, ...status.containerStatuses];
  return {
    pod: metadata.name,
    ready: status.conditions.find(({ type }: { type: string }) => type === 'Ready'),
    restarts: containers.map(({ restartCount }) => restartCount),
  };
}

interface Fault {
  what: string;
  /** Breaks storage. */
  begin: () => Promise<unknown>;
  /** What the sidecar says of it. */
  why: RegExp;
  mend: () => Promise<unknown>;
}

/**
 * Expects the Router to be ready from before a fault to its end, and as quick in it as one without; then
 * storage to be back without a restart, with all.
 */
async function expectUnharmed(namespace: Namespace, { what, begin, why, mend }: Fault) {
  const before = await namespace.routerPod();
  expect(standing(before)).toMatchObject({ ready: { status: 'True' }, restarts: [0, 0] });
  await begin();
  await untilDown(namespace, why);
  await expectAsQuick(namespace, what, RELEASE, UNHARMED);

  await mend();
  const began = performance.now();
  const { name } = before.metadata;
  await storageUp(namespace, name);
  console.log(
    `${what}: storage was up ${Math.round(performance.now() - began)} ms after the mending`,
  );
  expect(standing(await namespace.routerPod())).toEqual(standing(before));
  const accounts = await accountsAtRest(namespace, name);
  expect(accounts.entries.length).toBeGreaterThan(1_000);
  expect(compare(accounts.entries, accounts.stored)).toMatchObject({ missing: [], twice: [] });
  expectAgreement(accounts);
}

/** Installs the release whose storage will fail, and the other one. */
async function installBoth(namespace: Namespace, values: readonly string[]): Promise<void> {
  await namespace.install(RELEASE, values, ...load(100));
  await namespace.install(UNHARMED, SQLITE, ...load(100));
  await namespace.rolledOut();
  await namespace.rolledOut(UNHARMED);
}

function on(volume: SmallVolume): string[] {
  return [...SQLITE, `optional.storage.sqlite.persistence.storageClassName=${volume.storageClass}`];
}

/** Gives the Router a new Pod on a volume that is read-only by then. */
async function startReadOnly(namespace: Namespace, volume: SmallVolume): Promise<void> {
  await namespace.kubectl('scale', `deployment/${RELEASE}-router`, '--replicas=0');
  await namespace.kubectl('wait', 'pods', '--all', '--for=delete', '--timeout=90s');
  await volume.makeReadOnly();
  await namespace.kubectl('scale', `deployment/${RELEASE}-router`, '--replicas=1');
  await namespace.rolledOut();
}

describe.concurrent('the Router does not feel', () => {
  it('a volume that is full, nor that it becomes read-only', async () => {
    await using namespace = await createNamespace('helm4', 'full');
    await using volume = await makeSmallVolume(namespace);
    await installBoth(namespace, on(volume));
    await expectUnharmed(namespace, {
      what: 'a full volume',
      begin: () => volume.fill(),
      why: /ENOSPC/,
      mend: () => volume.empty(),
    });
    await expectUnharmed(namespace, {
      what: 'a volume that became read-only',
      begin: () => volume.becomeReadOnly(),
      why: /read-only|EROFS/i,
      mend: async () => {
        await volume.makeWritable();
        await volume.empty();
      },
    });
  });

  it('a volume that is read-only at its start, and has its records when it is mended', async () => {
    await using namespace = await createNamespace('helm4', 'born-read-only');
    await using volume = await makeSmallVolume(namespace);
    await namespace.install(RELEASE, on(volume), ...load(30));
    await namespace.rolledOut();
    await startReadOnly(namespace, volume);
    await untilDown(namespace, /read-only|EROFS/i);
    const before = await namespace.routerPod();
    expect(standing(before)).toMatchObject({ ready: { status: 'True' } });
    const { name } = before.metadata;
    await volume.makeWritable();
    await storageUp(namespace, name);
    const entries = await durable(namespace, name, 100);
    const [first] = await journal(namespace, name);
    const stored = await storedIds(namespace, name);
    expect(compare(entries, stored)).toMatchObject({ lost: [], twice: [] });
    expect(stored).toContain(first?.event_id);
    expect(standing(await namespace.routerPod())).toEqual(standing(before));
  });

  it('a Postgres that is stopped', async () => {
    const { server, dsn } = await startReachablePostgres();
    await using _server = server;
    await using namespace = await createNamespace('helm3', 'stopped');
    const stringData = { dsn: dsn(await server.createDatabase()) };
    const metadata = { name: 'db' };
    await namespace.apply({ apiVersion: 'v1', kind: 'Secret', metadata, stringData });
    await installBoth(namespace, postgres('db'));
    await expectUnharmed(namespace, {
      what: 'a stopped Postgres',
      begin: () => server.stop(),
      why: /cannot connect to Postgres|ECONNREFUSED/,
      mend: () => server.start(),
    });
  });
});

it.concurrent('a new Pod finds a volume mended that kubelet had mounted read-only', async () => {
  await using namespace = await createNamespace('helm3', 'mounted-read-only');
  await using volume = await makeSmallVolume(namespace, 'local');
  await namespace.install(RELEASE, on(volume), ...load(30));
  await namespace.rolledOut();
  const entries = await durable(namespace, (await namespace.routerPod()).metadata.name, 100);
  await startReadOnly(namespace, volume);
  await untilDown(namespace, /read-only|EROFS/i);

  await volume.makeWritable();
  const { name } = (await namespace.routerPod()).metadata;
  await namespace.kubectl('delete', 'pod', name, '--grace-period=1');
  const next = await successor(namespace, name);
  await storageUp(namespace, next);
  expect(compare(entries, await storedIds(namespace, next))).toMatchObject({ lost: [], twice: [] });
});
