import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  accountsAtRest,
  expectAgreement,
  expectBalance,
  expectSameOutcomes,
} from './support/accounts.ts';
import { eventually } from './support/eventually.ts';
import { followRouter, successor } from './support/followed-router.ts';
import { killContainer } from './support/kill.ts';
import { createNamespace, type Namespace } from './support/namespace.ts';
import { watchReadiness } from './support/ready-watch.ts';
import { compare, parseJournal, routerStats } from './support/records.ts';
import { load, SQLITE } from './support/router-load.ts';

const RELEASE = 'agenttier';
// Ten times what docs/operations.md says of each.
const SIDECAR_AWAY_MS = 20_000;
const ROUTER_AWAY_MS = 80_000;

let namespace: Namespace;
beforeAll(async () => {
  namespace = await createNamespace('helm3', 'deaths');
  await namespace.install(RELEASE, SQLITE, ...load(100));
  await namespace.rolledOut();
});
afterAll(() => namespace[Symbol.asyncDispose]());

/** Waits until both containers run, so many of each having run before, and the Pod is ready. */
async function recovered(sidecars: number, routers: number): Promise<void> {
  await eventually(async () => {
    const { status } = await namespace.routerPod();
    expect(status.initContainerStatuses[0]).toMatchObject({ restartCount: sidecars, ready: true });
    expect(status.containerStatuses[0]).toMatchObject({ restartCount: routers, ready: true });
    expect(status.conditions).toContainEqual(
      expect.objectContaining({ type: 'Ready', status: 'True' }),
    );
  }, ROUTER_AWAY_MS / 1000);
}

describe('with SQLite under load', () => {
  it('a Pod that is killed without grace loses nothing that was stored', async () => {
    await using router = await followRouter(namespace);
    await namespace.kubectl('delete', 'pod', router.pod, '--grace-period=0', '--force');
    const next = await successor(namespace, router.pod);
    const entries = parseJournal(await router.log.ended());
    expectBalance(await router.account.last());

    const after = await accountsAtRest(namespace, next);
    expectAgreement(after);
    const found = compare(entries, after.stored);
    expect(found).toMatchObject({ lost: [], twice: [] });
    expect(found.durable).toBeGreaterThan(100);
  });

  it('a killed sidecar is back soon, with every record that the Router has sent', async () => {
    await using router = await followRouter(namespace);
    const before = await accountsAtRest(namespace, router.pod);
    expectAgreement(before);
    await sleep(1_000);
    await using watch = await watchReadiness(namespace, router.pod);
    await killContainer(namespace, router.pod, 'storage');
    await recovered(1, 0);
    console.log(`a killed sidecar: the Pod was not ready for ${watch.awayMs} ms`);
    expect(watch.awayMs).toBeLessThan(SIDECAR_AWAY_MS);
    await sleep(3_000);

    const { load: calls } = await routerStats(namespace, router.pod);
    expect(calls.failed).toBe(0);
    const { entries, client, sidecar, stored } = await accountsAtRest(namespace, router.pod);
    expectSameOutcomes(entries, client);
    expectBalance(sidecar);
    expect(client).toMatchObject({ Dropped: 0, Rejected: 0 });
    expect(client.FailedAttempts).toBeGreaterThan(0);
    // What was in the memory of the killed process was sent again, unless it had been taken for sent.
    const found = compare(entries, stored);
    expect(found).toMatchObject({ lost: [], twice: [] });
    const unconfirmed = entries.filter(({ outcome }) => outcome === 'unconfirmed');
    expect(unconfirmed.map(({ event_id }) => event_id)).toEqual(
      expect.arrayContaining(found.missing),
    );
    // The new process counts what the killed one had stored and not answered for.
    expect(sidecar.duplicate).toBe(client.Duplicate);
    expect(before.sidecar.stored + sidecar.stored).toBeLessThanOrEqual(client.Recorded);
  });

  it('a killed Router loses nothing that it saw stored', async () => {
    await using router = await followRouter(namespace);
    const before = await accountsAtRest(namespace, router.pod);
    await sleep(1_000);
    await using watch = await watchReadiness(namespace, router.pod);
    await killContainer(namespace, router.pod, 'router');
    const entries = parseJournal(await router.log.ended());
    await recovered(1, 1);
    console.log(`a killed Router: the Pod was not ready for ${watch.awayMs} ms`);
    expect(watch.awayMs).toBeLessThan(ROUTER_AWAY_MS);

    const after = await accountsAtRest(namespace, router.pod);
    const found = compare(entries, after.stored);
    expect(found).toMatchObject({ lost: [], twice: [] });
    expect(found.durable).toBeGreaterThan(100);
    expectSameOutcomes(after.entries, after.client);
    expectBalance(after.sidecar);
    // One process of the sidecar served both Routers: its account is what the database has grown by.
    expect(after.stored.length - before.stored.length).toBe(
      after.sidecar.stored - before.sidecar.stored,
    );
    expect(compare(after.entries, after.stored)).toMatchObject({ missing: [], twice: [] });
  });
});
