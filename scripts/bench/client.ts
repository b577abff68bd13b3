/**
 * A client in a process of its own, so that it shares no thread with what is measured. Its parent
 * sends one {@link Job} and gets one {@link Report}.
 */

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Poster } from '../simulate/poster.ts';
import { type BatchOf, batches } from './bodies.ts';
import { type Answer, Connection, encodeRequest } from './connection.ts';
import type { BackupsJob, BatchesJob, FillJob, Job, ListsJob, Report, SinglesJob } from './jobs.ts';

process.once('message', (job: Job) => {
  run(job).then(
    (report) => process.send?.(report, () => process.disconnect()),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});

function run(job: Job): Promise<Report> {
  switch (job.job) {
    case 'singles':
      return singles(job);
    case 'batches':
      return sendBatches(job);
    case 'fill':
      return fill(job);
    case 'lists':
      return lists(job);
    case 'backups':
      return backups(job);
  }
}

async function singles(job: SinglesJob): Promise<Report> {
  const url = new URL(job.url);
  const requests = readFileSync(job.bodies, 'utf8')
    .trimEnd()
    .split('\n')
    .map((body) => encodeRequest(url, withPrefer(body, job.prefer)));
  const tally = new Tally();
  let next = 0;
  const end = performance.now() + job.seconds * 1_000;
  await onEach(job.connections, url, async (connection) => {
    while (performance.now() < end) {
      const request = requests[next++ % requests.length]!;
      await tally.time(() => connection.send(request));
    }
  });
  return tally.report();
}

async function sendBatches(job: BatchesJob): Promise<Report> {
  const url = new URL(job.url);
  const wanted = job.warmup + job.count;
  const requests: Buffer[] = [];
  for (const { kind, records } of batches(job.size, 200)) {
    const body = withPrefer(JSON.stringify(records), 'wait=60');
    requests.push(encodeRequest(new URL(`/v1/${kind.path}`, url), body));
    if (requests.length === wanted) break;
  }
  let report: Report | undefined;
  for (const part of [requests.slice(0, job.warmup), requests.slice(job.warmup)]) {
    const tally = new Tally();
    let next = 0;
    await onEach(job.connections, url, async (connection) => {
      while (next < part.length) {
        const request = part[next++]!;
        await tally.time(() => connection.send(request), 201);
      }
    });
    report = { ...tally.report(), latenciesMs: [] };
  }
  return report!;
}

/** Sends as a Router does: comes again when there is no room. */
async function fill(job: FillJob): Promise<Report> {
  const url = new URL(job.url);
  const poster = new Poster({ url, connections: job.connections, wait: job.wait });
  const tally = new Tally();
  const source = batches(job.size, job.sandboxes);
  for (let i = 0; i < job.skip; i++) source.next();
  let sent = 0;
  const lane = async () => {
    while (sent < job.count) {
      sent += 1;
      const { kind, records } = source.next().value as BatchOf;
      const outcome = await poster.post(kind, JSON.stringify(records), records.length);
      tally.count(outcome.refused === 0);
    }
  };
  await Promise.all(Array.from({ length: job.connections }, lane));
  poster.close();
  return tally.report();
}

async function lists(job: ListsJob): Promise<Report> {
  const tally = new Tally();
  const end = performance.now() + job.seconds * 1_000;
  let next = 0;
  await onEach(job.connections, new URL(job.urls[0]!), async (connection) => {
    while (performance.now() < end) {
      const base = new URL(job.urls[next++ % job.urls.length]!);
      let cursor: string | null = null;
      do {
        const url = new URL(base);
        if (cursor !== null) url.searchParams.set('cursor', cursor);
        const request = encodeRequest(url, { method: 'GET' });
        const { body } = await tally.time(() => connection.send(request));
        cursor = cursorOf(body);
        await sleep(job.pauseMs);
      } while (cursor !== null && performance.now() < end);
    }
  });
  return tally.report();
}

async function backups(job: BackupsJob): Promise<Report> {
  const tally = new Tally();
  const end = performance.now() + job.seconds * 1_000;
  do {
    await tally.time(async () => {
      const { status, body } = await fetch(job.url);
      for await (const _ of body ?? []);
      return { status, body: '' };
    }, 200);
  } while (performance.now() < end);
  return tally.report();
}

function withPrefer(body: string, prefer: string | undefined) {
  return { method: 'POST' as const, body, ...(prefer === undefined ? {} : { prefer }) };
}

async function onEach(
  connections: number,
  url: URL,
  work: (connection: Connection) => Promise<void>,
): Promise<void> {
  const one = async () => {
    const connection = await Connection.open(url);
    await work(connection);
    connection.close();
  };
  await Promise.all(Array.from({ length: connections }, one));
}

function cursorOf(body: string): string | null {
  const page: unknown = JSON.parse(body);
  if (typeof page !== 'object' || page === null || !('next_cursor' in page)) return null;
  return typeof page.next_cursor === 'string' ? page.next_cursor : null;
}

class Tally {
  readonly #started = performance.now();
  readonly #latenciesMs: number[] = [];
  #requests = 0;
  #failed = 0;

  /** @param status the only one that counts as success; any below 300 when absent */
  async time(send: () => Promise<Answer>, status?: number): Promise<Answer> {
    const started = performance.now();
    const answer = await send();
    this.#latenciesMs.push(performance.now() - started);
    this.count(status === undefined ? answer.status < 300 : answer.status === status);
    return answer;
  }

  count(succeeded: boolean): void {
    this.#requests += 1;
    if (!succeeded) this.#failed += 1;
  }

  report(): Report {
    return {
      requests: this.#requests,
      failed: this.#failed,
      seconds: (performance.now() - this.#started) / 1_000,
      latenciesMs: this.#latenciesMs,
    };
  }
}
