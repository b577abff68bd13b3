import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, statSync, watch } from 'node:fs';
import { expect, it } from 'vitest';
import { until } from '../support/sqlite-store.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { canUnshare, isRoot, NOBODY, startAsNobody, startConfined } from './support/confined.ts';
import { KINDS } from './support/kinds.ts';
import { Load } from './support/load.ts';
import { idsInFile, listAll, missing } from './support/stored.ts';
import { writeUpstreamFile } from './support/upstream-file.ts';

const ROWS = 30_000;

it('needs no writable place but the directory of its database, its sorters and index builds included', {
  timeout: 60_000,
}, async ({ annotate }) => {
  await using directory = await temporaryDirectory();
  const data = directory.path('data');
  const path = directory.path('data', 'agenttier.db');
  mkdirSync(data);
  // Adoption makes indexes of all its rows, which a small cache cannot sort in memory.
  writeUpstreamFile(path, ROWS);
  chmodSync(directory.root, 0o755);
  if (isRoot) {
    chownSync(data, NOBODY, NOBODY);
    chownSync(path, NOBODY, NOBODY);
  }
  const env = {
    STORAGE_SQLITE_PATH: path,
    STORAGE_SQLITE_CACHE: '1Mi',
    TMPDIR: directory.path('does-not-exist'),
    HOME: directory.path('does-not-exist'),
  };
  const confined = canUnshare();
  if (!confined) await annotate('no right to make mounts here: only TMPDIR is taken away');

  const names = new Set<string>();
  const watcher = watch(data);
  watcher.on('change', (_, name) => names.add(String(name)));
  await using sidecar = await (confined ? startConfined(data, env) : startAsNobody(env));
  await sidecar.storage('up', 40_000);
  if (isRoot) expect(statSync(`/proc/${sidecar.pid}`).uid).toBe(NOBODY);
  watcher.close();
  const load = new Load(sidecar.api, { prefix: 'n' });
  await until(() => load.durable.size > 500);
  await load.stop();
  expect(load.strange).toEqual([]);
  for (const { path: list } of KINDS) {
    expect((await listAll(sidecar.api, list)).length).toBeGreaterThanOrEqual(ROWS);
  }
  expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
  expect([...names].filter((name) => name.startsWith('etilqs_'))).not.toEqual([]);
  expect(readdirSync(data)).toEqual(['agenttier.db']);
  expect(existsSync(env.TMPDIR)).toBe(false);
  const stored = idsInFile(path);
  expect(missing(load.durable, stored)).toEqual([]);
  expect(stored).toHaveLength(3 * ROWS + load.durable.size);
});
