import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Outcome, Setting } from './figure.ts';
import type { Report } from './jobs.ts';
import type { Memory } from './proc.ts';
import { runClient } from './run-client.ts';
import { type Server, startSidecar } from './server.ts';
import { writeBodies } from './single.ts';
import { latencies, median, percentile } from './statistics.ts';

const SIZE = 1_000;
const SANDBOXES = 2_000;
const SAMPLE_MS = 100;

/** A file of millions of rows: memory, start, and what lists there do to commits. */
export async function large(setting: Setting): Promise<Outcome> {
  const sizes = setting.quick
    ? { small: 2_000, large: 8_000, flood: 2_000, lists: 0.2, starts: 1, latency: 0.3, rounds: 1 }
    : {
        small: 500_000,
        large: 5_000_000,
        flood: 500_000,
        lists: 10,
        starts: 5,
        latency: 4,
        rounds: 9,
      };
  const path = `${setting.directory}/large/agenttier.db`;

  const first = await startSidecar(setting.sidecar, path);
  const watch = new Watch(first);
  const some = await ingest(first, { from: 0, to: sizes.small, wait: true }, sizes.lists);
  const atSmall = watch.peak;
  setting.note(`${sizes.small} rows: ${describe(atSmall)}, ${rate(some, sizes.small)} rows/s`);
  const rest = await ingest(first, { from: sizes.small, to: sizes.large, wait: true }, sizes.lists);
  const atLarge = watch.peak;
  setting.note(
    `${sizes.large} rows: ${describe(atLarge)}, ${rate(rest, sizes.large - sizes.small)} rows/s`,
  );
  const total = sizes.large + sizes.flood;
  await ingest(first, { from: sizes.large, to: total, wait: false }, sizes.lists);
  const flooded = watch.peak;
  setting.note(`${sizes.flood} more with a full queue: ${describe(flooded)}`);
  const stored = await storedTotal(first);
  if (stored !== total) throw new Error(`${stored} rows stored of ${total} sent`);
  watch.stop();
  await first.stop();
  const gigabytes = statSync(path).size / 1e9;

  const starts: number[] = [];
  for (let i = 0; i < sizes.starts; i++) {
    const server = await startSidecar(setting.sidecar, path);
    starts.push(server.startMs);
    await server.stop();
  }
  setting.note(`start on ${gigabytes.toFixed(2)} GB: ${median(starts).toFixed(0)} ms`);

  const last = await startSidecar(setting.sidecar, path);
  const { quiet, busy, pages } = await commitsBesideLists(setting, last, sizes);
  await last.stop();
  const usual = percentile(quiet.flat(), 50);

  const rows = (count: number) => count.toLocaleString('en-US');
  return {
    figures: [
      {
        title: `Resident memory, at most, up to ${rows(sizes.large)} rows`,
        value: atLarge.residentMb,
        unit: 'MB',
        bound: { most: 200 },
      },
      {
        title: `The same, compared to that up to ${rows(sizes.small)} rows`,
        value: atLarge.residentMb / atSmall.residentMb,
        unit: '',
        bound: { most: 1.15 },
      },
      {
        title: 'The same, with a flood that keeps the queue of 32 MiB full',
        value: flooded.residentMb,
        unit: 'MB',
        bound: { most: 200 },
      },
      {
        title: 'Start of the process until storage is up, on that file',
        value: median(starts),
        unit: 'ms',
        bound: { most: 1_000 },
      },
      {
        title: 'Longest delay of a commit by lists whose filter matches nothing there',
        value: median(busy.map((round) => Math.max(...round))) - usual,
        unit: 'ms',
        bound: { most: 50 },
      },
    ],
    how:
      `Batches of ${SIZE} over 4 connections, each waiting for the disk, then a flood that does ` +
      'not wait; beside them a client that lists with and without filters, and goes on ' +
      `afterwards. Memory is sampled every ${SAMPLE_MS} ms. Then durable single posts, one after ` +
      `another, in ${sizes.rounds} rounds alone and beside two clients that list all rows for a filter without ` +
      'an index that matches none. The delay is the longest latency of a round less the usual one ' +
      'alone, the median of the rounds: the disk by itself has moments that are longer, alone as ' +
      'beside lists.',
    facts: [
      ['size of the file', `${gigabytes.toFixed(2)} GB`],
      ['rows a second', rate(rest, sizes.large - sizes.small)],
      [`memory up to ${rows(sizes.small)} rows`, describe(atSmall)],
      [`memory up to ${rows(sizes.large)} rows`, describe(atLarge)],
      ['memory with a full queue', describe(flooded)],
      ['starts', starts.map((ms) => `${ms.toFixed(0)} ms`).join(', ')],
      ['durable post alone: p50, p99, max', latencies(quiet.flat())],
      ['durable post beside lists: p50, p99, max', latencies(busy.flat())],
      ['longest of each round alone', longest(quiet)],
      ['longest of each round beside lists', longest(busy)],
      ['pages listed meanwhile', String(pages)],
    ],
  };
}

/** Fills the file from one number of rows to another while a client lists, and goes on listing. */
async function ingest(
  server: Server,
  { from, to, wait }: { from: number; to: number; wait: boolean },
  listSeconds: number,
): Promise<Report> {
  let filling = true;
  const listing = (async () => {
    while (filling) await list(server, Math.min(1, listSeconds), 50);
  })();
  const report = await runClient({
    job: 'fill',
    url: server.api,
    size: SIZE,
    sandboxes: SANDBOXES,
    skip: from / SIZE,
    count: (to - from) / SIZE,
    connections: 4,
    wait,
  });
  filling = false;
  await listing;
  while ((await storedTotal(server)) < to) await sleep(SAMPLE_MS);
  await list(server, listSeconds, 0);
  return report;
}

function list(server: Server, seconds: number, pauseMs: number): Promise<Report> {
  const urls = [
    'audit-events?limit=1000',
    'audit-events?limit=1000&actor=ana@team-atlas.example.com&order=asc',
    'sandbox-events?limit=1000&namespace=research&phase=Error',
    'cost-snapshots?limit=1000&namespace=platform',
  ].map((query) => `${server.api}/v1/${query}`);
  return runClient({ job: 'lists', urls, connections: 2, seconds, pauseMs });
}

/** Latencies of durable posts, alone and beside lists that find nothing, in turns. */
async function commitsBesideLists(
  setting: Setting,
  server: Server,
  sizes: { latency: number; rounds: number },
) {
  const bodies = writeBodies(setting);
  const post = (seconds: number) =>
    runClient({
      job: 'singles',
      url: `${server.api}/v1/audit-events`,
      bodies,
      prefer: 'wait=60',
      connections: 1,
      seconds,
    });
  const urls = [
    'cost-snapshots?namespace=nowhere',
    'audit-events?action=nothing',
    'sandbox-events?reason=none',
  ].map((query) => `${server.api}/v1/${query}`);
  await post(Math.min(2, sizes.latency));
  const quiet: (readonly number[])[] = [];
  const busy: (readonly number[])[] = [];
  let pages = 0;
  for (let round = 1; round <= sizes.rounds; round++) {
    quiet.push((await post(sizes.latency)).latenciesMs);
    const listed = runClient({
      job: 'lists',
      urls,
      connections: 2,
      seconds: sizes.latency + 1,
      pauseMs: 0,
    });
    // The lists are under way before the first commit counts, and after the last.
    await sleep(500);
    busy.push((await post(sizes.latency)).latenciesMs);
    pages += (await listed).requests;
    setting.note(
      `round ${round}: alone ${latencies(quiet.at(-1) ?? [])}; beside lists ${latencies(busy.at(-1) ?? [])}`,
    );
  }
  return { quiet, busy, pages };
}

async function storedTotal(server: Server): Promise<number> {
  const metrics = await (await fetch(`${server.ops}/metrics`)).text();
  const lines = metrics.matchAll(/^agenttier_storage_records_stored_total(?:\{.*\})? (\S+)$/gm);
  return [...lines].reduce((sum, line) => sum + Number(line[1]), 0);
}

/** Keeps the largest figures of a process's memory. */
class Watch {
  peak: Memory;
  readonly #timer: NodeJS.Timeout;

  constructor(server: Server) {
    this.peak = server.memory();
    this.#timer = setInterval(() => {
      const now = server.memory();
      this.peak = {
        residentMb: Math.max(this.peak.residentMb, now.residentMb),
        anonymousMb: Math.max(this.peak.anonymousMb, now.anonymousMb),
      };
    }, SAMPLE_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

function describe({ residentMb, anonymousMb }: Memory): string {
  return `${residentMb.toFixed(0)} MB (${anonymousMb.toFixed(0)} MB anonymous)`;
}

function rate({ seconds }: Report, rows: number): string {
  return (rows / seconds).toFixed(0);
}

function longest(rounds: readonly (readonly number[])[]): string {
  return rounds.map((round) => `${Math.max(...round).toFixed(0)} ms`).join(', ');
}
