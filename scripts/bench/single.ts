import { writeFileSync } from 'node:fs';
import { singleBodies } from './bodies.ts';
import type { Outcome, Setting } from './figure.ts';
import { hasWrk, postSingles } from './run-client.ts';
import { type Server, startBare, startSidecar } from './server.ts';
import { median } from './statistics.ts';

export const CONNECTIONS = 32;

/** Until V8 has compiled what is hot: before, its compiler's threads are half of the CPU. */
export const WARMUP_SECONDS = 8;

/** CPU of one POST of one record to the no-op, compared to a server that does the least. */
export async function single(setting: Setting): Promise<Outcome> {
  // Many short rounds: what else the machine does then weighs on both alike.
  const [rounds, seconds, warmup] = setting.quick ? [1, 1, 0] : [25, 1, WARMUP_SECONDS];
  const bodies = writeBodies(setting);
  const bare = await startBare(setting.bare);
  const sidecar = await startSidecar(setting.sidecar);
  if (warmup > 0) {
    await measure(bare, bodies, warmup);
    await measure(sidecar, bodies, warmup);
  }
  const samples: { bare: Sample; sidecar: Sample }[] = [];
  for (let round = 1; round <= rounds; round++) {
    const sample = {
      bare: await measure(bare, bodies, seconds),
      sidecar: await measure(sidecar, bodies, seconds),
    };
    samples.push(sample);
    setting.note(
      `round ${round}: bare ${describe(sample.bare)}, sidecar ${describe(sample.sidecar)}`,
    );
  }
  await sidecar.stop();
  await bare.stop();

  const of = (who: 'bare' | 'sidecar', what: keyof Sample) =>
    median(samples.map((sample) => sample[who][what]));
  return {
    figures: [
      {
        title: 'CPU of a single POST, compared to a bare server',
        value: median(samples.map((s) => s.sidecar.cpuUs / s.bare.cpuUs)),
        unit: '',
        bound: { most: 1.25 },
      },
    ],
    how:
      `One audit event a request over ${CONNECTIONS} connections (${(await hasWrk()) ? 'wrk' : 'our own client'}), ` +
      'no-op store, metrics and log on; user and system time of the server process by requests. ' +
      'The bare server is node:http with JSON.parse and the same valibot schema, run with the same flags of Node. ' +
      `Median of ${rounds} rounds in which both take turns.`,
    facts: [
      ['CPU a request, bare', `${of('bare', 'cpuUs').toFixed(1)} µs`],
      ['CPU a request, sidecar', `${of('sidecar', 'cpuUs').toFixed(1)} µs`],
      ['requests a second, bare', of('bare', 'rate').toFixed(0)],
      ['requests a second, sidecar', of('sidecar', 'rate').toFixed(0)],
      ['p99 latency, sidecar', `${of('sidecar', 'p99Ms').toFixed(2)} ms`],
    ],
  };
}

/** Writes the bodies that wrk sends to a file. */
export function writeBodies({ directory }: Setting): string {
  const path = `${directory}/bodies`;
  writeFileSync(path, [...singleBodies(1_000)].join('\n'));
  return path;
}

interface Sample {
  readonly cpuUs: number;
  readonly rate: number;
  readonly p99Ms: number;
}

async function measure(server: Server, bodies: string, seconds: number): Promise<Sample> {
  const before = server.cpuSeconds();
  const url = `${server.api}/v1/audit-events`;
  const load = await postSingles({
    job: 'singles',
    url,
    bodies,
    connections: CONNECTIONS,
    seconds,
  });
  const cpuUs = ((server.cpuSeconds() - before) / load.requests) * 1e6;
  return { cpuUs, rate: load.requests / load.seconds, p99Ms: load.p99Ms };
}

function describe({ cpuUs, rate }: Sample): string {
  return `${cpuUs.toFixed(1)} µs (${rate.toFixed(0)}/s)`;
}
