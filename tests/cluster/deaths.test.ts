import { once } from 'node:events';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from './support/eventually.ts';
import { killContainer } from './support/kill.ts';
import { followLog, type LogStream } from './support/log-stream.ts';
import { createNamespace, type Namespace } from './support/namespace.ts';
import { portForward } from './support/port-forward.ts';
import { watchReadiness } from './support/ready-watch.ts';
import {
  compare,
  journal,
  metrics,
  parseJournal,
  ROUTER_PORT,
  routerStats,
  storedIds,
} from './support/records.ts';
import { load, SQLITE } from './support/router-load.ts';

const RELEASE = 'agenttier';

let namespace: Namespace;

/** Follows the Router of the Pod that is there now, with a second of load behind it. */
async function followRouter(): Promise<{ name: string; log: LogStream }> {
  const { name } = (await namespace.routerPod()).metadata;
  const log = await followLog(namespace, name, 'router');
  await eventually(async () => expect(parseJournal(log.text).length).toBeGreaterThan(100));
  return { name, log };
}

/** Waits for a Pod of the Router other than the one named, and that it is ready. */
async function successor(of: string): Promise<string> {
  const name = await eventually(async () => {
    const pod = await namespace.routerPod();
    expect(pod.metadata.name).not.toBe(of);
    return pod.metadata.name as string;
  });
  await namespace.kubectl('wait', `pod/${name}`, '--for=condition=Ready', '--timeout=120s');
  return name;
}

/** The Router has ended in good order: nothing that it sent is missing. */
async function expectAllThere(log: LogStream, pod: string): Promise<void> {
  const entries = parseJournal(await log.ended());
  const found = compare(entries, await storedIds(namespace, pod));
  expect(found).toMatchObject({ lost: [], twice: [], missing: [] });
  expect(found.durable).toBe(found.sent);
}

/** All terms of the sidecar's account, over all kinds. */
async function expectBalance(pod: string): Promise<void> {
  const all = await metrics(namespace, pod);
  const sum = (name: string) =>
    [...all].reduce((total, [key, value]) => total + (key.startsWith(`${name}{`) ? value : 0), 0);
  const terms = ['stored', 'duplicate', 'rejected', 'dropped'].map((term) =>
    sum(`agenttier_storage_records_${term}_total`),
  );
  const total = terms.reduce((a, b) => a + b, sum('agenttier_storage_queue_records'));
  expect(total).toBe(sum('agenttier_storage_records_received_total'));
  expect(total).toBeGreaterThan(0);
}

beforeAll(async () => {
  namespace = await createNamespace('helm3', 'deaths');
  await namespace.install(RELEASE, SQLITE, ...load(100));
  await namespace.rolledOut();
});
afterAll(() => namespace[Symbol.asyncDispose]());

describe('with SQLite under load', () => {
  it('a killed sidecar is back soon, with every record that the Router has sent', async () => {
    const { name, log } = await followRouter();
    await using _log = log;
    await using watch = await watchReadiness(namespace, name);
    await killContainer(namespace, name, 'storage');
    await eventually(async () => {
      const { status } = await namespace.routerPod();
      expect(status.initContainerStatuses[0]).toMatchObject({ restartCount: 1, ready: true });
      expect(status.conditions).toContainEqual(
        expect.objectContaining({ type: 'Ready', status: 'True' }),
      );
    });
    console.log(`a killed sidecar: the Pod was not ready for ${watch.awayMs} ms`);
    await sleep(3_000);

    const entries = await journal(namespace, name);
    const { client, load: calls } = await routerStats(namespace, name);
    const found = compare(entries, await storedIds(namespace, name));
    expect(found).toMatchObject({ lost: [], twice: [] });
    const waiting = new Set(
      entries.filter(({ outcome }) => outcome === 'queued').map(({ event_id }) => event_id),
    );
    expect(found.missing.filter((id) => !waiting.has(id))).toEqual([]);
    expect(client).toMatchObject({ Dropped: 0, Rejected: 0 });
    expect(client.FailedAttempts).toBeGreaterThan(0);
    expect(calls.failed).toBe(0);
    const { status } = await namespace.routerPod();
    expect(status.containerStatuses[0].restartCount).toBe(0);
    await expectBalance(name);
  });

  it('a killed Router loses nothing that it saw stored', async () => {
    const { name, log } = await followRouter();
    await using _log = log;
    await using watch = await watchReadiness(namespace, name);
    await killContainer(namespace, name, 'router');
    const entries = parseJournal(await log.ended());
    await eventually(async () => {
      const { status } = await namespace.routerPod();
      expect(status.containerStatuses[0]).toMatchObject({ restartCount: 1, ready: true });
    });
    console.log(`a killed Router: the Pod was not ready for ${watch.awayMs} ms`);
    const found = compare(entries, await storedIds(namespace, name));
    expect(found).toMatchObject({ lost: [], twice: [] });
    expect(found.durable).toBeGreaterThan(100);
    await expectBalance(name);
  });

  it('a Pod that is deleted leaves nothing unsaid', async () => {
    const { name, log } = await followRouter();
    await using _log = log;
    const began = performance.now();
    await namespace.kubectl('delete', 'pod', name);
    const next = await successor(name);
    console.log(
      `a deleted Pod: the next was ready after ${Math.round(performance.now() - began)} ms`,
    );
    await expectAllThere(log, next);
    await expectBalance(next);
  });

  it('a Pod that is killed without grace loses nothing that was stored', async () => {
    const { name, log } = await followRouter();
    await using _log = log;
    await namespace.kubectl('delete', 'pod', name, '--grace-period=0', '--force');
    const next = await successor(name);
    const entries = parseJournal(await log.ended());
    const found = compare(entries, await storedIds(namespace, next));
    expect(found).toMatchObject({ lost: [], twice: [] });
  });

  it('a drained node loses nothing', async () => {
    const { name, log } = await followRouter();
    await using _log = log;
    const path = 'jsonpath={.spec.nodeName}';
    const node = (await namespace.kubectl('get', 'pod', name, '-o', path)).trim();
    // Others use the node too: these Pods alone are evicted, and the node takes new ones soon.
    const selector = `app.kubernetes.io/instance=${RELEASE},pod-template-hash=${name.split('-').at(-2)}`;
    const began = performance.now();
    let output: string;
    try {
      output = await namespace.kubectl(
        ...['drain', node, `--pod-selector=${selector}`, '--ignore-daemonsets', '--timeout=90s'],
      );
    } finally {
      await namespace.kubectl('uncordon', node);
    }
    expect(output).toContain(`pod/${name} evicted`);
    console.log(`a drain took ${Math.round(performance.now() - began)} ms`);
    const next = await successor(name);
    await expectAllThere(log, next);
  });

  it('a rollout loses nothing: the sidecar ends after the Router, and stores what is queued', async () => {
    const { name, log } = await followRouter();
    await using _log = log;
    await using sidecar = await followLog(namespace, name, 'storage');
    const began = performance.now();
    await namespace.kubectl('rollout', 'restart', `deployment/${RELEASE}-router`);
    await namespace.rolledOut();
    console.log(`a rollout took ${Math.round(performance.now() - began)} ms`);
    await expectAllThere(log, await successor(name));
    expect(await sidecar.ended()).toContain('nothing is left behind, ending');
    expect(log.text).toContain('"stopped"');
  });

  it('an ordinary sidecar, told to stop with the Router, stores what the Router records after that', async () => {
    const ordinary = [...SQLITE, 'optional.storage.sidecar.native=false'];
    await namespace.install(RELEASE, ordinary, ...load(100));
    await namespace.rolledOut();
    const { name, log } = await followRouter();
    await using _log = log;
    await using sidecar = await followLog(namespace, name, 'storage');
    await using router = await portForward(namespace, `pod/${name}`, ROUTER_PORT);
    const [head, rest] = ['{"name":"late",', '"templateRef":{"name":"python"}}'];
    const call = request(`${router.url}/api/v1/sandboxes`, {
      method: 'POST',
      headers: { 'content-length': head.length + rest.length },
    });
    const answered = once(call, 'response');
    call.write(head);
    await sleep(1_000);

    // The Router waits for its last request, and the sidecar for the Router.
    const deleted = namespace.kubectl('delete', 'pod', name);
    await sleep(5_000);
    call.end(rest);
    const [{ statusCode }] = await answered;
    expect(statusCode).toBe(201);
    await deleted;
    await expectAllThere(log, await successor(name));
    expect(await sidecar.ended()).toContain('nothing is left behind, ending');
  });
});
