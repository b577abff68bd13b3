import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Outcome, Setting } from './figure.ts';
import type { Report } from './jobs.ts';
import { runClient } from './run-client.ts';
import { startSidecar } from './server.ts';
import { writeBodies } from './single.ts';
import { latencies, median, percentile } from './statistics.ts';

const SIZE = 1_000;

/** What backups, one after the other as fast as they come, do to posts that are answered from memory. */
export async function backup(setting: Setting): Promise<Outcome> {
  const { rows, seconds, rounds } = setting.quick
    ? { rows: 2_000, seconds: 0.3, rounds: 1 }
    : { rows: 1_000_000, seconds: 4, rounds: 9 };
  const path = `${setting.directory}/backup/agenttier.db`;
  const bodies = writeBodies(setting);
  const server = await startSidecar(setting.sidecar, path);
  const fill = { job: 'fill', url: server.api, size: SIZE, sandboxes: 200, skip: 0 } as const;
  await runClient({ ...fill, count: rows / SIZE, wait: true, connections: 4 });
  const post = () =>
    runClient({
      job: 'singles',
      url: `${server.api}/v1/audit-events`,
      bodies,
      connections: 1,
      seconds,
    });
  await post();

  const alone: Report[] = [];
  const beside: Report[] = [];
  const backups: Report[] = [];
  for (let round = 1; round <= rounds; round++) {
    alone.push(await post());
    const fetched = runClient({
      job: 'backups',
      url: `${server.api}/v1/backup`,
      seconds: seconds + 1,
    });
    // They are under way before the first post counts, and after the last.
    await sleep(500);
    beside.push(await post());
    backups.push(await fetched);
    setting.note(
      `round ${round}: alone ${told(alone.at(-1))}; beside backups ${told(beside.at(-1))}`,
    );
  }
  const { residentMb } = server.memory();
  await server.stop();

  const megabytes = statSync(path).size / 1e6;
  const took = backups.flatMap(({ latenciesMs }) => latenciesMs);
  const p99 = (reports: readonly Report[]) =>
    median(reports.map(({ latenciesMs }) => percentile(latenciesMs, 99)));
  const all = (reports: readonly Report[]) =>
    latencies(reports.flatMap(({ latenciesMs }) => latenciesMs));
  return {
    figures: [
      {
        title: 'p99 of a POST beside backups without a pause',
        value: p99(beside),
        unit: 'ms',
        bound: { most: 10 },
      },
    ],
    how:
      'One audit event a request over one connection, answered from memory, in ' +
      `${rounds} rounds alone and beside a client that fetches one backup after the other and throws it away. ` +
      'The figure is the median of the rounds.',
    facts: [
      ['size of the file', `${megabytes.toFixed(0)} MB`],
      ['backups fetched', String(took.length)],
      ['a backup', `${median(took).toFixed(0)} ms`],
      ['megabytes a second', (megabytes / (median(took) / 1_000)).toFixed(0)],
      ['p99 of a POST alone', `${p99(alone).toFixed(2)} ms`],
      ['POST alone: p50, p99, max', all(alone)],
      ['POST beside backups: p50, p99, max', all(beside)],
      ['resident memory at the end', `${residentMb.toFixed(0)} MB`],
    ],
  };
}

function told(report: Report | undefined): string {
  return latencies(report?.latenciesMs ?? []);
}
