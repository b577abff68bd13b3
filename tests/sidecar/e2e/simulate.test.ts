import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { generateRecords } from '../../../scripts/simulate/generate.ts';
import { startSidecar } from '../support/sidecar-process.ts';
import { until } from '../support/sqlite-store.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { count, expectBalance, queued } from './support/account.ts';
import { KINDS } from './support/kinds.ts';
import { idsInFile, listAll } from './support/stored.ts';

const run = promisify(execFile);
const SIMULATE = fileURLToPath(new URL('../../../scripts/simulate.ts', import.meta.url));
const FLEET = { sandboxes: 20, days: 3, seed: 'e2e', startMs: Date.UTC(2026, 9, 1) };
const ARGUMENTS = ['--sandboxes', '20', '--days', '3', '--seed', 'e2e', '--start', '2026-10-01'];

/** The columns of the closing table's last line. */
async function simulate(api: string, ...more: string[]) {
  const { stdout } = await run(process.execPath, [SIMULATE, ...ARGUMENTS, '--url', api, ...more]);
  const cells = /^total .*$/m.exec(stdout)?.[0].split(/ +/).slice(1) ?? [];
  const [sent, acknowledged, durable, duplicates, refused] = cells.map((cell) =>
    Number(cell.replaceAll(',', '')),
  );
  return { sent, acknowledged, durable, duplicates, refused };
}

it('a simulated fleet: what is sent is acknowledged, stored and listed, and a second run adds nothing', {
  timeout: 60_000,
}, async () => {
  const generated = [...generateRecords(FLEET)];
  const all = generated.length;
  expect(all).toBeGreaterThan(2_000);
  await using directory = await temporaryDirectory();
  const path = directory.path('agenttier.db');
  await using sidecar = await startSidecar({ STORAGE_SQLITE_PATH: path });
  await sidecar.storage('up');

  const first = await simulate(sidecar.api, '--batch', '137');
  expect(first).toEqual({ sent: all, acknowledged: all, durable: 0, duplicates: 0, refused: 0 });
  await until(async () => queued(await sidecar.metrics()) === 0);
  expect(count(await sidecar.metrics(), 'stored')).toBe(all);

  const again = await simulate(sidecar.api, '--wait');
  expect(again).toEqual({
    sent: all,
    acknowledged: all,
    durable: all,
    duplicates: all,
    refused: 0,
  });
  const metrics = await sidecar.metrics();
  expectBalance(metrics);
  expect(count(metrics, 'received')).toBe(2 * all);
  expect(count(metrics, 'stored')).toBe(all);
  expect(count(metrics, 'duplicate')).toBe(all);

  for (const { path: list, kind } of KINDS) {
    const wanted = generated.filter((record) => record.kind.name === kind);
    for (const order of ['asc', 'desc']) {
      const items = await listAll(sidecar.api, list, `&order=${order}`);
      const ids = items.map(({ event_id }) => event_id);
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids.toSorted()).toEqual(wanted.map(({ fields }) => fields.event_id).toSorted());
      const times = items.map(({ ts }) => ts);
      expect(times).toEqual(order === 'asc' ? times.toSorted() : times.toSorted().reverse());
    }
  }
  expect((await sidecar.stop()).code).toBe(0);
  expect(idsInFile(path)).toHaveLength(all);
});

it('sends no batch that is too large for the API, whatever size is asked for', async () => {
  await using sidecar = await startSidecar();
  const fleet = ['--sandboxes', '40', '--days', '30', '--batch', '50000'];
  const { sent, acknowledged } = await simulate(sidecar.api, ...fleet);
  expect(sent).toBeGreaterThan(60_000);
  expect(acknowledged).toBe(sent);
});
