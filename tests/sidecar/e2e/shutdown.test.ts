import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { startSidecar } from '../support/sidecar-process.ts';
import { until } from '../support/sqlite-store.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { Load } from './support/load.ts';
import { idsInFile, missing } from './support/stored.ts';

it('SIGTERM under load: exit 0, one file, and every 201 and every 202 in it', {
  timeout: 60_000,
}, async () => {
  await using directory = await temporaryDirectory();
  const path = directory.path('data', 'agenttier.db');
  await using sidecar = await startSidecar({
    STORAGE_SQLITE_PATH: path,
    STORAGE_SHUTDOWN_GRACE: '6s',
  });
  await sidecar.storage('up');
  const load = new Load(sidecar.api, { prefix: 's', durable: 5, quick: 3 });
  await until(() => load.durable.size > 200 && load.queued.size > 200);
  // The load goes on until the sidecar refuses and is gone.
  const exit = await sidecar.stop();
  await load.cut();
  expect(exit).toEqual({ code: 0, signal: null });
  expect(load.strange).toEqual([]);
  expect(load.refused.size).toBeGreaterThan(0);
  expect(readdirSync(directory.path('data'))).toEqual(['agenttier.db']);
  const stored = idsInFile(path);
  expect(missing(load.durable, stored)).toEqual([]);
  expect(missing(load.queued, stored)).toEqual([]);
});
