import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { postAudit, RECORD } from '../support/post.ts';
import { startSidecar } from '../support/sidecar-process.ts';
import { until } from '../support/sqlite-store.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { expectBalance, queued } from './support/account.ts';
import { Load } from './support/load.ts';
import { idsInFile, listedIds, missing } from './support/stored.ts';

it('a second sidecar on the file waits, says why, queues, and takes over after a kill', {
  timeout: 60_000,
}, async () => {
  await using directory = await temporaryDirectory();
  const path = directory.path('data', 'agenttier.db');
  await using first = await startSidecar({ STORAGE_SQLITE_PATH: path });
  await first.storage('up');
  const load = new Load(first.api, { prefix: 'first' });

  await using second = await startSidecar({ STORAGE_SQLITE_PATH: path });
  await until(async () => (await second.readiness()).reason?.includes('holds'));
  const { storage, reason } = await second.readiness();
  expect(storage).toBe('down');
  expect(reason).toMatch(
    new RegExp(`another sidecar \\(host .+, process ${first.pid}\\) holds .+agenttier\\.db\\.lock`),
  );
  expect(second.logs.some(({ level }) => level === 'error')).toBe(true);
  for (let n = 0; n < 5; n += 1) {
    const response = await postAudit(second.api, { ...RECORD, event_id: `second-${n}` });
    expect(response.status).toBe(202);
  }
  expect(queued(await second.metrics())).toBe(5);
  expect((await fetch(`${second.api}/v1/audit-events`)).status).toBe(503);

  await until(() => load.durable.size > 100);
  await first.kill();
  await load.cut();
  await second.storage('up', 20_000);
  await until(async () => queued(await second.metrics()) === 0);
  expectBalance(await second.metrics());
  const listed = await listedIds(second.api);
  const ours = [0, 1, 2, 3, 4].map((n) => `second-${n}`);
  expect(missing([...load.durable, ...ours], listed)).toEqual([]);
  expect(await second.stop()).toEqual({ code: 0, signal: null });
  expect(readdirSync(directory.path('data'))).toEqual(['agenttier.db']);
  expect(missing(listed, idsInFile(path))).toEqual([]);
});
