import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { eventually } from './eventually.ts';
import type { Namespace } from './namespace.ts';
import { type Forward, portForward } from './port-forward.ts';
import { ROUTER_PORT, type RouterStats } from './records.ts';

const ROUND_MS = 2_000;
const LEAST_ROUNDS = 5;
/** A machine that is busy with other things needs more of them for a steady median. */
const MOST_ROUNDS = 25;
/** What the machine takes for itself: bounds below it would say nothing of storage. */
const FLOOR_MS = 1;

/**
 * Expects the Router of a release to be as quick as that of another one at the same time: the median, over
 * some rounds, of the 99th percentile of its own latency is at most twice the other's.
 */
export async function expectAsQuick(
  namespace: Namespace,
  what: string,
  release: string,
  other: string,
): Promise<void> {
  await using forward = await forwardTo(namespace, release);
  await using otherForward = await forwardTo(namespace, other);
  const its: number[] = [];
  const others: number[] = [];
  const bound = () => Math.max(2 * median(others), FLOOR_MS);
  while (its.length < LEAST_ROUNDS || (median(its) > bound() && its.length < MOST_ROUNDS)) {
    const [one, two] = await Promise.all([p99(forward), p99(otherForward)]);
    its.push(one);
    others.push(two);
  }
  console.log(
    `${what}: the median of p99 is ${median(its)} ms over ${its.length} rounds, usually ${median(others)} ms`,
  );
  expect(median(its)).toBeLessThanOrEqual(bound());
}

async function forwardTo(namespace: Namespace, release: string): Promise<Forward> {
  const { name } = (await namespace.routerPod(release)).metadata;
  return portForward(namespace, `pod/${name}`, ROUTER_PORT);
}

/** The 99th percentile of one round under load, in milliseconds. */
async function p99(router: Forward): Promise<number> {
  await fetch(`${router.url}/stats`, { method: 'DELETE' });
  await sleep(ROUND_MS);
  return eventually(async () => {
    const { latency, load } = await router.json<RouterStats>('/stats');
    expect(load.failed).toBe(0);
    // A slow machine may need longer for as many.
    expect(latency.count).toBeGreaterThan(50);
    return latency.p99_ms;
  });
}

function median(figures: readonly number[]): number {
  const sorted = figures.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
