import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { run } from '../../scripts/tools/run.ts';
import { temporaryDirectory } from '../sidecar/support/temporary-directory.ts';

const SCRIPT = new URL('../../scripts/cluster', import.meta.url).pathname;

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;

beforeEach(async () => {
  directory = await temporaryDirectory();
  onTestFinished(() => directory[Symbol.asyncDispose]());
  await mkdir(directory.path('bin'));
  await writeFile(directory.path('bin/docker'), '#!/bin/sh\n', { mode: 0o755 });
});

/** Runs scripts/cluster, whose providers are the stand-ins of this test. */
function cluster(clusterDirectory: string, ...args: string[]) {
  const PATH = `${directory.path('bin')}:${process.env.PATH}`;
  return run(SCRIPT, args, {
    env: { ...process.env, PATH, CLUSTER_PROVIDER: 'kind', CLUSTER_DIR: clusterDirectory },
    cwd: directory.root,
  });
}

describe('the directory of a cluster', () => {
  it.for(['up', 'down'])('is left alone by `%s` where it is somebody’s own', async (command) => {
    const own = directory.path('own');
    await mkdir(own);
    await writeFile(`${own}/letters`, 'dear');
    const { status, stderr } = await cluster(own, command);
    expect(status).toBe(1);
    expect(stderr).toContain(`CLUSTER_DIR ${own} holds files, and no cluster`);
    expect(await readdir(own)).toEqual(['letters']);
  });

  it('may have a file named provider which no cluster wrote', async () => {
    const own = directory.path('own');
    await mkdir(own);
    await writeFile(`${own}/provider`, 'hetzner\n');
    expect((await cluster(own, 'down')).status).toBe(1);
    expect(await readdir(own)).toEqual(['provider']);
  });

  it.for(['own', '/', '//'])('has to be an absolute path: %s', async (path) => {
    const { status, stderr } = await cluster(path, 'down');
    expect(status).toBe(1);
    expect(stderr).toContain('it has to be an absolute path');
  });

  it('may be missing or empty, and nothing is ended there', async () => {
    const empty = directory.path('empty');
    await mkdir(empty);
    for (const path of [empty, directory.path('missing')]) {
      const { status, stderr } = await cluster(path, 'down');
      expect(status, stderr).toBe(0);
    }
    expect(await readdir(empty)).toEqual([]);
  });
});
