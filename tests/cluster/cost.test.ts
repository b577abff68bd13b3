import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { processOf, usageOf } from './support/container-process.ts';
import { createNamespace } from './support/namespace.ts';
import { routerStats } from './support/records.ts';
import { recording, sqlite } from './support/values.ts';

const WINDOW_MS = 10_000;

const values = parse(readFileSync(new URL('../../chart/values.yaml', import.meta.url), 'utf8')) as {
  optional: { storage: { sidecar: { resources: Resources } } };
};
interface Resources {
  requests: { cpu: string; memory: string };
  limits: { memory: string };
}
const { requests, limits } = values.optional.storage.sidecar.resources;

/** Installs, lets it settle, and measures the sidecar for a while. */
async function measure(purpose: string, set: readonly string[]) {
  await using namespace = await createNamespace('helm4', purpose);
  await namespace.install('agenttier', set);
  await namespace.rolledOut();
  const [pod] = await namespace.routerPods();
  const pid = await processOf(pod, 'storage');
  await sleep(5_000);
  const before = await usageOf(pid);
  const began = performance.now();
  const { client: sent } = await routerStats(namespace, pod?.metadata.name);
  await sleep(WINDOW_MS);
  const after = await usageOf(pid);
  const seconds = (performance.now() - began) / 1000;
  const { client } = await routerStats(namespace, pod?.metadata.name);
  return {
    residentMiB: after.residentMiB,
    peakMiB: after.peakMiB,
    millicores: ((after.cpuSeconds - before.cpuSeconds) / seconds) * 1000,
    recordsPerSecond: ((client.Recorded ?? 0) - (sent.Recorded ?? 0)) / seconds,
    dropped: client.Dropped,
  };
}

it.for([
  ['off', []],
  ['idle', sqlite],
  ['at-50', [...sqlite, ...recording(50)]],
  ['at-500', [...sqlite, ...recording(500)]],
] as const)('the sidecar costs less than the chart asks for: %s', async ([name, set]) => {
  const cost = await measure(`cost-${name}`, set);
  console.log(
    `${name}: ${cost.recordsPerSecond.toFixed(0)} records/s, ${cost.millicores.toFixed(1)} millicores, ` +
      `${cost.residentMiB.toFixed(0)} MiB resident, ${cost.peakMiB.toFixed(0)} MiB at most`,
  );
  expect(cost.dropped).toBe(0);
  expect(cost.peakMiB).toBeGreaterThan(20);
  expect(cost.peakMiB).toBeLessThan(Number.parseInt(limits.memory, 10));
  if (name === 'off' || name === 'idle') {
    expect(cost.residentMiB).toBeLessThan(Number.parseInt(requests.memory, 10));
    expect(cost.millicores).toBeLessThan(Number.parseInt(requests.cpu, 10));
  }
});
