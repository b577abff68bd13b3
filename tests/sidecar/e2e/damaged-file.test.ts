import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { postAudit, RECORD } from '../support/post.ts';
import { startSidecar } from '../support/sidecar-process.ts';
import { until } from '../support/sqlite-store.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { Load } from './support/load.ts';
import { idsInFile, listAll } from './support/stored.ts';

/** A sidecar's database of some hundred pages. */
async function writeDatabase(path: string): Promise<void> {
  await using sidecar = await startSidecar({ STORAGE_SQLITE_PATH: path });
  await sidecar.storage('up');
  const load = new Load(sidecar.api, { prefix: 'old' });
  await until(() => load.durable.size > 1_000);
  await load.stop();
  await sidecar.stop();
}

const damages: [string, (path: string) => Promise<void>][] = [
  ['a text file', async (path) => writeFileSync(path, 'Dear diary, '.repeat(1_000))],
  ['a text of one byte', async (path) => writeFileSync(path, 'x')],
  [
    'a database whose schema is overwritten',
    async (path) => {
      await writeDatabase(path);
      writeFileSync(path, readFileSync(path).fill(0xa5, 100, 4_096));
    },
  ],
];

it.concurrent.for(damages)(
  '%s is moved aside, recording goes on, and /readyz warns',
  async ([, damage]) => {
    await using directory = await temporaryDirectory();
    const path = directory.path('agenttier.db');
    await damage(path);
    const before = readFileSync(path);

    await using sidecar = await startSidecar({ STORAGE_SQLITE_PATH: path });
    const { warnings } = await sidecar.storage('up');
    const aside = readdirSync(directory.root).find((name) => name.includes('.corrupt-')) as string;
    expect(warnings.join()).toContain(`it was moved to ${aside}`);
    expect(readFileSync(directory.path(aside))).toEqual(before);
    expect(sidecar.logs.filter(({ level }) => level === 'warn').map(({ msg }) => msg)).toEqual([
      expect.stringContaining(aside),
    ]);
    const response = await postAudit(
      sidecar.api,
      { ...RECORD, event_id: 'new' },
      { Prefer: 'wait=30' },
    );
    expect(response.status).toBe(201);
    expect((await sidecar.stop()).code).toBe(0);
    // A log of the damaged one goes with it.
    const others = readdirSync(directory.root).filter((name) => !name.startsWith(aside));
    expect(others).toEqual(['agenttier.db']);
    expect(idsInFile(path)).toEqual(['new']);
  },
);

it.concurrent('damage that is met while the sidecar runs: the file is moved aside, and recording goes on', {
  timeout: 60_000,
}, async () => {
  await using directory = await temporaryDirectory();
  const path = directory.path('agenttier.db');
  await writeDatabase(path);
  const bytes = readFileSync(path);
  // All but the first pages: header and schema stay whole, so that opening finds nothing.
  writeFileSync(path, bytes.fill(0xa5, 20 * 4_096));

  await using sidecar = await startSidecar({ STORAGE_SQLITE_PATH: path });
  await until(async () => {
    await fetch(`${sidecar.api}/v1/audit-events?limit=1000`);
    await postAudit(sidecar.api, { ...RECORD, event_id: 'new' });
    return (await sidecar.readiness()).warnings.some((warning) => warning.includes('moved to'));
  });
  await sidecar.storage('up');
  await until(async () => (await listAll(sidecar.api, '/v1/audit-events')).length === 1);
  expect((await sidecar.stop()).code).toBe(0);
  const aside = readdirSync(directory.root).find((name) => name.includes('.corrupt-'));
  expect(aside).toBeDefined();
  expect(idsInFile(path)).toEqual(['new']);
});

it.concurrent('damage in the header of the log that a kill leaves: a copy is kept, and /readyz warns', async () => {
  await using directory = await temporaryDirectory();
  const path = directory.path('agenttier.db');
  await using killed = await startSidecar({ STORAGE_SQLITE_PATH: path });
  await killed.storage('up');
  for (let n = 0; n < 20; n++) {
    const record = { ...RECORD, event_id: `stored-${n}` };
    expect((await postAudit(killed.api, record, { Prefer: 'wait=30' })).status).toBe(201);
  }
  await killed.kill();
  const wal = readFileSync(`${path}-wal`);
  writeFileSync(`${path}-wal`, wal.fill(wal.readUInt8(20) ^ 1, 20, 21));

  await using sidecar = await startSidecar({ STORAGE_SQLITE_PATH: path });
  const { warnings } = await sidecar.storage('up');
  const copy = readdirSync(directory.root).find((name) => name.includes('.corrupt-')) as string;
  expect(warnings).toEqual([expect.stringContaining('its header is damaged')]);
  expect(warnings[0]).toContain(`A copy is ${copy}`);
  expect(readFileSync(directory.path(copy))).toEqual(wal);
  const told = sidecar.logs.filter(({ level }) => level === 'warn').map(({ msg }) => msg);
  expect(told).toContain(warnings[0]);
});
