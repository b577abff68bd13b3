import { once } from 'node:events';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectAgreement, lastAccount } from './support/accounts.ts';
import { type FollowedRouter, followRouter, successor } from './support/followed-router.ts';
import { createNamespace, type Namespace } from './support/namespace.ts';
import { portForward } from './support/port-forward.ts';
import { compare, parseJournal, ROUTER_PORT, storedIds } from './support/records.ts';
import { load, SQLITE } from './support/router-load.ts';

const RELEASE = 'agenttier';
// Ten times what docs/operations.md says of each.
const AWAY_MS = 100_000;

let namespace: Namespace;
beforeAll(async () => {
  namespace = await createNamespace('helm3', 'endings');
  const label = `router.podLabels.drained=${namespace.name}`;
  await namespace.install(RELEASE, [...SQLITE, label], ...load(100));
  await namespace.rolledOut();
});
afterAll(() => namespace[Symbol.asyncDispose]());

/** A Pod has ended in good order: nothing that its Router sent is missing, and all accounts agree. */
async function expectNothingMissing(router: FollowedRouter, next: string): Promise<void> {
  const text = await router.log.ended();
  const entries = parseJournal(text);
  const stored = await storedIds(namespace, next);
  const found = compare(entries, stored);
  expect(found).toMatchObject({ lost: [], twice: [], missing: [] });
  expect(found.durable).toBe(found.sent);
  const sidecar = await router.account.last();
  expectAgreement({ entries, client: lastAccount(text), sidecar, stored });
  expect(await router.sidecarLog.ended()).toContain('nothing is left behind, ending');
}

/** Ends the Router's Pod, and tells how long there was no ready one. */
async function away(what: string, pod: string, end: () => Promise<unknown>): Promise<string> {
  const began = performance.now();
  await end();
  const next = await successor(namespace, pod);
  const milliseconds = Math.round(performance.now() - began);
  console.log(`${what}: the next Pod was ready after ${milliseconds} ms`);
  expect(milliseconds).toBeLessThan(AWAY_MS);
  return next;
}

describe('with SQLite under load, nothing is missing and all accounts agree', () => {
  it('after a Pod was deleted', async () => {
    await using router = await followRouter(namespace);
    const next = await away('a deleted Pod', router.pod, () =>
      namespace.kubectl('delete', 'pod', router.pod),
    );
    await expectNothingMissing(router, next);
  });

  it('after a node was drained', async () => {
    await using router = await followRouter(namespace);
    const path = 'jsonpath={.spec.nodeName}';
    const node = (await namespace.kubectl('get', 'pod', router.pod, '-o', path)).trim();
    // Others use the node too, with Pods of the same labels: these alone are evicted, and the node takes
    // new ones soon.
    const selector = `drained=${namespace.name}`;
    const next = await away('a drained node', router.pod, async () => {
      try {
        const output = await namespace.kubectl(
          ...['drain', node, `--pod-selector=${selector}`, '--ignore-daemonsets', '--timeout=90s'],
        );
        expect(output).toContain(`pod/${router.pod} evicted`);
      } finally {
        await namespace.kubectl('uncordon', node);
      }
    });
    await expectNothingMissing(router, next);
  });

  it('after a rollout', async () => {
    await using router = await followRouter(namespace);
    const next = await away('a rollout', router.pod, async () => {
      await namespace.kubectl('rollout', 'restart', `deployment/${RELEASE}-router`);
      await namespace.rolledOut();
    });
    await expectNothingMissing(router, next);
  });

  it('after an ordinary sidecar was told to stop with its Router, which has a request left', async () => {
    await namespace.install(
      RELEASE,
      [...SQLITE, 'optional.storage.sidecar.native=false'],
      ...load(100),
    );
    await namespace.rolledOut();
    await using router = await followRouter(namespace);
    await using forward = await portForward(namespace, `pod/${router.pod}`, ROUTER_PORT);
    const [head, rest] = ['{"name":"late",', '"templateRef":{"name":"python"}}'];
    const call = request(`${forward.url}/api/v1/sandboxes`, {
      method: 'POST',
      headers: { 'content-length': head.length + rest.length },
    });
    const answered = once(call, 'response');
    call.write(head);
    await sleep(1_000);
    const next = await away('an ordinary sidecar', router.pod, async () => {
      // The Router waits for its last request, and the sidecar for the Router.
      const deleted = namespace.kubectl('delete', 'pod', router.pod);
      await sleep(5_000);
      call.end(rest);
      const [{ statusCode }] = await answered;
      expect(statusCode).toBe(201);
      await deleted;
    });
    await expectNothingMissing(router, next);
  });
});
