import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import type { Outcome, Setting } from './figure.ts';
import type { NativeJob, NativeReport } from './native.ts';
import { runClient } from './run-client.ts';
import { startSidecar } from './server.ts';
import { median } from './statistics.ts';

const SIZE = 1_000;
/** Enough to validate one batch while another is being committed. */
const CONNECTIONS = 4;

/** Durable batches over HTTP into SQLite, compared to node:sqlite in process. */
export async function batch(setting: Setting): Promise<Outcome> {
  const [rounds, warmup, count] = setting.quick ? [1, 2, 10] : [5, 50, 300];
  const plan = { size: SIZE, warmup, count };
  const samples: { native: number; sidecar: number; cpuUs: number }[] = [];
  for (let round = 1; round <= rounds; round++) {
    const native = (count * SIZE) / (await measureNative(setting, plan));
    const { seconds, cpu } = await measureSidecar(setting, plan);
    const sidecar = (count * SIZE) / seconds;
    samples.push({ native, sidecar, cpuUs: (cpu / ((warmup + count) * SIZE)) * 1e6 });
    setting.note(
      `round ${round}: node:sqlite ${native.toFixed(0)} rows/s, sidecar ${sidecar.toFixed(0)} rows/s`,
    );
  }
  return {
    figures: [
      {
        title: 'Rate of durable batches over HTTP, compared to node:sqlite in process',
        value: median(samples.map((sample) => sample.sidecar / sample.native)),
        unit: '',
        bound: { least: 0.75 },
      },
    ],
    how:
      `Batches of ${SIZE} records of all three kinds with \`Prefer: wait\` over ${CONNECTIONS} ` +
      `connections from another process; node:sqlite inserts the same rows, parsed and validated ` +
      `beforehand, with the same tables, indexes and pragmas, one transaction a batch. Each round ` +
      `begins with new files and ${warmup} batches that do not count, then ${count} that do. ` +
      `Median of ${rounds} rounds in which both take turns.`,
    facts: [
      ['node:sqlite, rows a second', median(samples.map(({ native }) => native)).toFixed(0)],
      ['sidecar, rows a second', median(samples.map(({ sidecar }) => sidecar)).toFixed(0)],
      ['sidecar, CPU a row', `${median(samples.map(({ cpuUs }) => cpuUs)).toFixed(1)} µs`],
    ],
  };
}

type Plan = Omit<NativeJob, 'path'>;

async function measureNative(setting: Setting, plan: Plan): Promise<number> {
  const directory = `${setting.directory}/native`;
  mkdirSync(directory);
  const child = fork(new URL('./native.ts', import.meta.url), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  child.send({ ...plan, path: `${directory}/agenttier.db` });
  const exit = once(child, 'exit');
  const message = once(child, 'message');
  const first = await Promise.race([message, exit]);
  await exit;
  const report = first[0] as NativeReport | number | null;
  if (typeof report !== 'object' || report === null) throw new Error('node:sqlite failed');
  rmSync(directory, { recursive: true });
  return report.seconds;
}

async function measureSidecar(setting: Setting, plan: Plan) {
  const directory = `${setting.directory}/sidecar`;
  const server = await startSidecar(setting.sidecar, `${directory}/agenttier.db`);
  const before = server.cpuSeconds();
  const url = server.api;
  const { seconds } = await runClient({ job: 'batches', url, connections: CONNECTIONS, ...plan });
  const cpu = server.cpuSeconds() - before;
  await server.stop();
  rmSync(directory, { recursive: true });
  return { seconds, cpu };
}
