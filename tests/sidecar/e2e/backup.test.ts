import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFailed } from 'vitest';
import { type SidecarProcess, startSidecar } from '../support/sidecar-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { Load } from './support/load.ts';
import { idsInFile, listedIds, missing } from './support/stored.ts';

/** Fetches a backup into a file. */
async function fetchBackup(sidecar: SidecarProcess, path: string): Promise<void> {
  const response = await fetch(`${sidecar.api}/v1/backup`);
  expect(response.status).toBe(200);
  writeFileSync(path, Buffer.from(await response.arrayBuffer()));
}

/** A backup of which nothing is read yet but its head. */
async function begunBackup(sidecar: SidecarProcess): Promise<IncomingMessage> {
  const request = get(`${sidecar.api}/v1/backup`, { agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  expect(response.statusCode).toBe(200);
  return response;
}

/** Reads what is left, some bytes having been read before. Whether all of it came. */
async function isWhole(response: IncomingMessage, before = 0): Promise<boolean> {
  let bytes = before;
  try {
    for await (const chunk of response) bytes += (chunk as Buffer).length;
  } catch {
    return false;
  }
  expect(bytes).toBe(Number(response.headers['content-length']));
  return true;
}

/** Fills the database with so much that no buffer on the way holds it. */
async function fill(sidecar: SidecarProcess, between = () => {}): Promise<void> {
  const text = 'x'.repeat(50_000);
  const body = JSON.stringify(
    Array.from({ length: 100 }, () => ({ action: 'create', resource: 'sandbox', details: text })),
  );
  for (let n = 0; n < 8; n += 1) {
    const headers = { 'content-type': 'application/json', prefer: 'wait=60' };
    const { status } = await fetch(`${sidecar.api}/v1/audit-events`, {
      method: 'POST',
      headers,
      body,
    });
    expect(status).toBe(201);
    between();
  }
}

it('is a whole database of one moment, with all that was durable before, while records come', async () => {
  await using directory = await temporaryDirectory();
  await using sidecar = await startSidecar({
    STORAGE_SQLITE_PATH: directory.path('data', 'agenttier.db'),
  });
  onTestFailed(() => console.log(sidecar.logs));
  await sidecar.storage('up');
  const load = new Load(sidecar.api, { prefix: 'b', durable: 6, quick: 2, textBytes: 10_000 });
  const copies: { path: string; before: string[] }[] = [];
  for (let n = 0; n < 3; n += 1) {
    await sleep(300);
    const before = [...load.durable];
    const path = directory.path(`backup-${n}.db`);
    await fetchBackup(sidecar, path);
    copies.push({ path, before });
  }
  await load.stop();
  expect(load.strange).toEqual([]);
  const stored = await listedIds(sidecar.api);
  for (const { path, before } of copies) {
    const ids = idsInFile(path);
    expect(missing(before, ids)).toEqual([]);
    expect(missing(ids, stored)).toEqual([]);
    expect(new Set(ids).size).toBe(ids.length);
  }
  expect(copies.at(-1)?.before.length).toBeGreaterThan(100);
  const metrics = await sidecar.metrics();
  expect(metrics.get('agenttier_storage_backups_total{outcome="sent"}')).toBe(3);
  expect(metrics.get('agenttier_storage_checkpoint_failures_total')).toBe(0);

  // It is what a sidecar goes on from, as the file of a stopped one is.
  const last = copies.at(-1) as (typeof copies)[number];
  await using restored = await startSidecar({ STORAGE_SQLITE_PATH: last.path });
  expect((await restored.storage('up')).warnings).toEqual([]);
  expect(missing(last.before, await listedIds(restored.api))).toEqual([]);
});

it('is the file of that moment though it is read slowly, and the WAL is emptied after it', async () => {
  await using directory = await temporaryDirectory();
  const path = directory.path('data', 'agenttier.db');
  await using sidecar = await startSidecar({ STORAGE_SQLITE_PATH: path });
  await sidecar.storage('up');
  await fill(sidecar);
  const slow = await begunBackup(sidecar);
  const frozen = readFileSync(path);
  let read = 0;
  await fill(sidecar, () => {
    // Nothing, where the next bytes have not come yet.
    read += (slow.read(1_000) as Buffer | null)?.length ?? 0;
  });
  const second = await fetch(`${sidecar.api}/v1/backup`);
  expect([second.status, await second.text()]).toEqual([
    503,
    expect.stringContaining('another backup is being made'),
  ]);
  // Past the moment at which an idle sidecar empties its WAL.
  await sleep(1_500);
  expect(readFileSync(path).equals(frozen)).toBe(true);
  expect(Number(slow.headers['content-length'])).toBe(frozen.length);
  expect(await isWhole(slow, read)).toBe(true);
  await expect
    .poll(async () => (await sidecar.metrics()).get('agenttier_storage_wal_bytes'), {
      timeout: 20_000,
    })
    .toBe(0);
  expect(readFileSync(path).equals(frozen)).toBe(false);
});

it.each(['SIGTERM', 'SIGKILL'] as const)(
  'is not whole where the sidecar ends by %s meanwhile',
  async (signal) => {
    await using directory = await temporaryDirectory();
    const path = directory.path('data', 'agenttier.db');
    await using sidecar = await startSidecar({ STORAGE_SQLITE_PATH: path });
    await sidecar.storage('up');
    await fill(sidecar);
    const slow = await begunBackup(sidecar);
    await fill(sidecar);
    sidecar.signal(signal);
    const { code } = await sidecar.exited;
    expect(code).toBe(signal === 'SIGTERM' ? 0 : null);
    expect(await isWhole(slow)).toBe(false);
    if (signal === 'SIGTERM') expect(idsInFile(path)).toHaveLength(1_600);
  },
);
