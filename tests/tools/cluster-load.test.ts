import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { mustRun, run } from '../../scripts/tools/run.ts';
import { temporaryDirectory } from '../sidecar/support/temporary-directory.ts';

const SCRIPT = fileURLToPath(new URL('../../scripts/cluster', import.meta.url));
const NAME = 'ghcr.io/agenttier/program:v1';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let env: NodeJS.ProcessEnv;

/** A cluster whose provider keeps the archive that it is given, and a store of images of its own. */
beforeEach(async () => {
  directory = await temporaryDirectory();
  const storage = directory.path('storage.conf');
  const [graph, state] = [directory.path('images'), directory.path('state')];
  await writeFile(
    storage,
    `[storage]\ndriver = "vfs"\ngraphroot = "${graph}"\nrunroot = "${state}"\n`,
  );
  await mkdir(directory.path('bin'));
  const kind = `#!/bin/sh\n[ "$1" != load ] || cp "$3" ${directory.path('archive')}\n`;
  await writeFile(directory.path('bin/kind'), kind, { mode: 0o755 });
  await writeFile(directory.path('program'), '#!/bin/true\n', { mode: 0o755 });
  env = {
    ...process.env,
    PATH: `${directory.path('bin')}:${process.env.PATH}`,
    CONTAINERS_STORAGE_CONF: storage,
    CLUSTER_PROVIDER: 'kind',
    CLUSTER_DIR: directory.path('cluster'),
  };
  onTestFinished(() => directory[Symbol.asyncDispose]());
});

/** All images of the store, by id and name. */
const images = () => buildah('images', '--all', '--format', '{{.ID}} {{.Name}}:{{.Tag}}');
const buildah = async (...args: string[]) => (await mustRun('buildah', args, { env })).trim();

it('loads a program as an image, and leaves one that this machine has by that name', async () => {
  const container = await buildah('from', 'scratch');
  await buildah('commit', '--quiet', '--rm', container, NAME);
  const before = await images();
  expect(before).toContain(NAME);

  await mustRun(SCRIPT, ['load', NAME, directory.path('program')], { env });
  const archive = directory.path('archive');
  const manifest = JSON.parse(await mustRun('tar', ['-xOf', archive, 'manifest.json']));
  expect(manifest).toEqual([expect.objectContaining({ RepoTags: [NAME] })]);
  const config = JSON.parse(await mustRun('tar', ['-xOf', archive, manifest[0].Config]));
  expect(config.config).toMatchObject({ Entrypoint: ['/program'], User: '65532:65532' });

  expect(await images()).toBe(before);
  expect(await buildah('containers', '--quiet')).toBe('');
});

it('leaves no working container behind when it fails', async () => {
  const { status } = await run(SCRIPT, ['load', 'NO/NAME', directory.path('program')], { env });
  expect(status).not.toBe(0);
  expect(await buildah('containers', '--quiet')).toBe('');
  await expect(readFile(directory.path('archive'))).rejects.toThrow();
});
