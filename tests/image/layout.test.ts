import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { temporaryDirectory } from '../sidecar/support/temporary-directory.ts';
import { startConfined } from './support/confinement.ts';
import { readDockerfile } from './support/dockerfile.ts';
import { startInPlace } from './support/in-place.ts';
import { layOut } from './support/layout.ts';
import { expectToKeepARecord } from './support/record.ts';

const dockerfile = readDockerfile();

it('packs Node, the bundle and the two files of SQLite, and no source map', async () => {
  await using directory = await temporaryDirectory();
  const paths = layOut(dockerfile, directory.root);
  expect(paths).toEqual(
    expect.arrayContaining([
      '/app/main.mjs',
      '/app/sqlite-worker.mjs',
      '/app/sqlite.cjs',
      '/app/sqlite.wasm',
      '/usr/local/bin/node',
    ]),
  );
  expect(paths.filter((path) => !/^\/app\/[\w-]+\.(mjs|cjs|wasm)$/.test(path))).toEqual([
    '/usr/local/bin/node',
  ]);
  // What the bundle imports is beside it, or built into Node.
  for (const path of paths.filter((name) => name.endsWith('.mjs'))) {
    const text = await readFile(directory.path(path), 'utf8');
    for (const [, name] of text.matchAll(/(?:^import|\bfrom|\bimport\()\s*"([^"]+)"/gm)) {
      if (name?.startsWith('./')) expect(paths).toContain(`/app/${name.slice(2)}`);
    }
  }
});

it('keeps a record as an unprivileged process 1, from its own files on a read-only tree', async ({
  annotate,
}) => {
  await using directory = await temporaryDirectory();
  const root = directory.path('root');
  const volume = directory.path('volume');
  mkdirSync(volume);
  layOut(dockerfile, root);
  const confined = process.getuid?.() === 0;
  if (!confined) await annotate('no right to make mounts here: its files alone are read-only');
  await using sidecar = confined
    ? await startConfined(dockerfile, root, volume, { libraries: 'this machine' })
    : await startInPlace(dockerfile, root, volume);
  await expectToKeepARecord(sidecar);
  expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
  expect(sidecar.stray).toBe('');
});
