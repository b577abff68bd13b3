import { renameSync, rmSync } from 'node:fs';
import { expect, it } from 'vitest';
import { NODE_FLAGS } from '../../../scripts/node-flags.ts';
import { type SidecarProcess, startSidecar } from '../support/sidecar-process.ts';
import { until } from '../support/sqlite-store.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { expectBalance, queued } from './support/account.ts';
import { Load } from './support/load.ts';
import { copyDatabase, idsInFile, listedIds, missing } from './support/stored.ts';

/** Lets SIGUSR2 end the worker thread wherever it is, from outside of the sidecar's own code. */
const MORTAL_WORKER = `
  import threads from 'node:worker_threads';
  import { syncBuiltinESMExports } from 'node:module';
  const { Worker } = threads;
  threads.Worker = class extends Worker {
    constructor(...args) { super(...args); latest = this; }
  };
  let latest;
  process.on('SIGUSR2', () => latest.terminate());
  syncBuiltinESMExports();
`;
const MORTAL_FLAGS = [
  ...NODE_FLAGS,
  '--import',
  `data:text/javascript,${encodeURIComponent(MORTAL_WORKER)}`,
];

async function restarts(sidecar: SidecarProcess): Promise<number> {
  return (await sidecar.metrics()).get('agenttier_storage_worker_restarts_total') ?? Number.NaN;
}

it.concurrent.for([
  [
    'its thread ends in the middle of its work',
    (sidecar: SidecarProcess) => sidecar.signal('SIGUSR2'),
  ],
  ['its lock is removed', (_: SidecarProcess, path: string) => rmSync(`${path}.lock`)],
] as const)(
  'a worker comes back when %s: what was acknowledged is there, and all is counted',
  {
    timeout: 60_000,
  },
  async ([, harm]) => {
    await using directory = await temporaryDirectory();
    const path = directory.path('agenttier.db');
    await using sidecar = await startSidecar(
      { STORAGE_SQLITE_PATH: path },
      { nodeFlags: MORTAL_FLAGS },
    );
    await sidecar.storage('up');
    const load = new Load(sidecar.api, { prefix: 'w', durable: 6, quick: 1 });
    for (let time = 1; time <= 3; time += 1) {
      const before = load.durable.size;
      await until(() => load.durable.size > before + 50);
      harm(sidecar, path);
      await until(async () => (await restarts(sidecar)) >= time);
      const then = load.durable.size;
      await until(() => load.durable.size > then);
      expectBalance(await sidecar.metrics());
    }
    await load.stop();
    expect(load.strange).toEqual([]);
    expect([...load.refused]).toEqual([]);
    await until(async () => queued(await sidecar.metrics()) === 0);
    expectBalance(await sidecar.metrics());
    const sent = [...load.durable, ...load.queued];
    expect((await listedIds(sidecar.api)).sort()).toEqual(sent.sort());
    expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
    expect(missing(sent, idsInFile(path))).toEqual([]);
  },
);

it.concurrent('a file that was replaced by a copy of itself is opened anew', async () => {
  await using directory = await temporaryDirectory();
  const path = directory.path('agenttier.db');
  await using sidecar = await startSidecar({ STORAGE_SQLITE_PATH: path });
  await sidecar.storage('up');
  const before = new Load(sidecar.api, { prefix: 'before' });
  await until(() => before.durable.size > 100);

  // The log belongs to the path, and so to the copy: with both nothing is lost. The load goes on, since
  // a pause would have the log moved into the file, perhaps between copying and renaming.
  renameSync(copyDatabase(path, directory.path('copy')), path);
  await until(async () => (await restarts(sidecar)) === 1);
  await before.stop();
  expect(before.strange).toEqual([]);
  const after = new Load(sidecar.api, { prefix: 'after' });
  await until(() => after.durable.size > 100);
  await after.stop();
  expect(after.strange).toEqual([]);
  expect(await restarts(sidecar)).toBe(1);
  const sent = [...before.durable, ...after.durable];
  expect((await listedIds(sidecar.api)).sort()).toEqual(sent.sort());
  expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
  expect(missing(sent, idsInFile(path))).toEqual([]);
});
