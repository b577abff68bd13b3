import { mkdirSync } from 'node:fs';
import { measureSync } from './disk.ts';
import type { Outcome, Setting } from './figure.ts';
import { type Load, postSingles } from './run-client.ts';
import { type Server, startSidecar } from './server.ts';
import { CONNECTIONS, WARMUP_SECONDS, writeBodies } from './single.ts';
import { median } from './statistics.ts';

/** The bound holds for disks that sync faster than this. */
const FAST_SYNC_MS = 1;

/** The rate of single durable records in SQLite, compared to the no-op's. */
export async function durable(setting: Setting): Promise<Outcome> {
  const [rounds, seconds, warmup] = setting.quick ? [1, 1, 0] : [15, 3, WARMUP_SECONDS];
  const bodies = writeBodies(setting);
  const directory = `${setting.directory}/durable`;
  mkdirSync(directory);
  const sync = measureSync(directory);
  const noop = await startSidecar(setting.sidecar);
  const sqlite = await startSidecar(setting.sidecar, `${directory}/agenttier.db`);
  if (warmup > 0) {
    await post(noop, bodies, warmup);
    await post(sqlite, bodies, warmup, 'wait=60');
  }
  const samples: { noop: Load; sqlite: Load }[] = [];
  for (let round = 1; round <= rounds; round++) {
    const sample = {
      noop: await post(noop, bodies, seconds),
      sqlite: await post(sqlite, bodies, seconds, 'wait=60'),
    };
    samples.push(sample);
    setting.note(
      `round ${round}: no-op ${rate(sample.noop).toFixed(0)}/s, durable ${rate(sample.sqlite).toFixed(0)}/s`,
    );
  }
  await noop.stop();
  await sqlite.stop();

  return {
    figures: [
      {
        title: "Rate of single durable records, compared to the no-op's",
        value: median(samples.map((sample) => rate(sample.sqlite) / rate(sample.noop))),
        unit: '',
        bound: { least: 0.6 },
        applies: sync.p50Ms < FAST_SYNC_MS,
      },
    ],
    how:
      `One record a request over ${CONNECTIONS} connections, each waiting for the disk ` +
      `(\`Prefer: wait\`), compared to the no-op without. Median of ${rounds} rounds in which both ` +
      `take turns. The bound is meant for disks whose fdatasync takes less than ${FAST_SYNC_MS} ms.`,
    facts: [
      ['fdatasync of this disk, p50', `${sync.p50Ms.toFixed(2)} ms`],
      ['fdatasync of this disk, p99', `${sync.p99Ms.toFixed(2)} ms`],
      ['no-op, records a second', median(samples.map(({ noop }) => rate(noop))).toFixed(0)],
      ['durable, records a second', median(samples.map(({ sqlite }) => rate(sqlite))).toFixed(0)],
      ['durable, p50', `${median(samples.map(({ sqlite }) => sqlite.p50Ms)).toFixed(2)} ms`],
      ['durable, p99', `${median(samples.map(({ sqlite }) => sqlite.p99Ms)).toFixed(2)} ms`],
    ],
  };
}

function post(server: Server, bodies: string, seconds: number, prefer?: string): Promise<Load> {
  const url = `${server.api}/v1/audit-events`;
  const job = { job: 'singles' as const, url, bodies, connections: CONNECTIONS, seconds };
  return postSingles(prefer === undefined ? job : { ...job, prefer });
}

function rate(load: Load): number {
  return load.requests / load.seconds;
}
