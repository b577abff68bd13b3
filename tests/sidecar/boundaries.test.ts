import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { temporaryDirectory } from './support/temporary-directory.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const REFUSED = [
  ['records', '../telemetry/log.ts'],
  ['telemetry', '../records/kinds.ts'],
  ['config', '../records/kinds.ts'],
  ['config', '../stores/store.ts'],
  ['stores', '../config/config.ts'],
  ['stores/sqlite', '../../recorder/recorder.ts'],
  ['stores/sqlite', 'pino'],
  ['recorder', '../stores/noop.ts'],
  ['recorder', '../stores/sqlite/sqlite-store.ts'],
  ['recorder', '../http/server.ts'],
  ['http', '../main.ts'],
  ['http', './api/listener.ts'],
  ['http', '../stores/store.ts'],
  ['http/api', '../../config/config.ts'],
  ['http/api', '../../stores/sqlite/sqlite-store.ts'],
  ['http/api', '../ops/ops-server.ts'],
  ['http/ops', '../../life/run.ts'],
  ['life', '../main.ts'],
] as const;

const ALLOWED = [
  ['config', '../telemetry/log.ts'],
  ['stores/sqlite', '../../records/kinds.ts'],
  ['stores/postgres', '../../telemetry/log.ts'],
  ['stores/server', '../../config/server-dsn.ts'],
  ['stores/server', '../../config/dsn/parse-dsn.ts'],
  ['recorder', '../stores/store-error.ts'],
  ['http/api', '../../stores/store.ts'],
  ['http/ops', '../../recorder/recorder.ts'],
  ['life', '../stores/noop.ts'],
] as const;

it('the linter refuses imports that point upwards or past a contract, and no others', async () => {
  await using directory = await temporaryDirectory();
  copyFileSync(join(ROOT, 'biome.json'), directory.path('biome.json'));
  const write = ([folder, imported]: readonly [string, string], name: string) => {
    mkdirSync(directory.path('sidecar/src', folder), { recursive: true });
    writeFileSync(directory.path('sidecar/src', folder, name), `export * from '${imported}';\n`);
    return `sidecar/src/${folder}/${name}`;
  };
  const refused = REFUSED.map((pair, i) => write(pair, `refused-${i}.ts`));
  for (const [i, pair] of ALLOWED.entries()) write(pair, `allowed-${i}.ts`);

  const biome = join(ROOT, 'node_modules/.bin/biome');
  const rule = '--only=style/noRestrictedImports';
  const args = ['lint', rule, '--vcs-enabled=false', '--max-diagnostics=none', 'sidecar'];
  const { status, stdout, stderr } = spawnSync(biome, args, {
    cwd: directory.root,
    encoding: 'utf8',
  });
  expect(status).toBe(1);
  const told = new Set(`${stdout}${stderr}`.match(/sidecar\/src\/\S+?\.ts/g));
  expect([...told].sort()).toEqual([...refused].sort());
});
