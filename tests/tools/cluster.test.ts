import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { run } from '../../scripts/tools/run.ts';
import { temporaryDirectory } from '../sidecar/support/temporary-directory.ts';

const SCRIPT = fileURLToPath(new URL('../../scripts/cluster', import.meta.url));

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;

beforeEach(async () => {
  directory = await temporaryDirectory();
  onTestFinished(() => directory[Symbol.asyncDispose]());
  await mkdir(directory.path('bin'));
  await writeFile(directory.path('bin/docker'), '#!/bin/sh\n', { mode: 0o755 });
});

/** Runs scripts/cluster, whose providers are the stand-ins of this test. */
function cluster(clusterDirectory: string, command: string, provider = 'kind') {
  const PATH = `${directory.path('bin')}:${process.env.PATH}`;
  return run(SCRIPT, [command], {
    env: { ...process.env, PATH, CLUSTER_PROVIDER: provider, CLUSTER_DIR: clusterDirectory },
    cwd: directory.root,
  });
}

/** Stands in for kind or k3d: the names of the clusters that it has are files. */
async function standIn(provider: string): Promise<void> {
  const script = `#!/bin/bash
    for argument; do [[ $argument == agenttier* ]] && name=$argument; done
    clusters=${directory.path('clusters')}
    case " $* " in
      *' create '*) set -o noclobber; : >"$clusters/$name" ;;
      *' delete '*) rm -f "$clusters/$name" ;;
      *' list '*) [[ -e $clusters/$name ]] ;;
    esac`;
  await mkdir(directory.path('clusters'));
  await writeFile(directory.path(`bin/${provider}`), script, { mode: 0o755 });
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
    // Nor is anything left of the command itself.
    expect((await readdir(directory.root)).toSorted()).toEqual(['bin', 'empty']);
  });
});

describe.each(['kind', 'k3d'])('a cluster of %s', (provider) => {
  const clusters = () => readdir(directory.path('clusters'));

  it('is ended by `down` of its own directory alone', async () => {
    await standIn(provider);
    const [first, second] = [directory.path('first'), directory.path('second')];
    for (const path of [first, second]) {
      const { status, stderr } = await cluster(path, 'up', provider);
      expect(status, stderr).toBe(0);
    }
    expect(await clusters()).toHaveLength(2);
    const [, name = ''] = (await readFile(`${second}/provider`, 'utf8')).trim().split(' ');

    await cluster(first, 'down', provider);
    expect(existsSync(first)).toBe(false);
    expect(await clusters()).toEqual([name]);
    await cluster(second, 'down', provider);
    expect(await clusters()).toEqual([]);
  });

  it('is ended by what started it, and begun anew, by the next `up`', async () => {
    await standIn(provider);
    const path = directory.path('cluster');
    await cluster(path, 'up', provider);
    await writeFile(`${path}/provider`, `${provider} agenttier-before\n`);
    await rename(
      directory.path('clusters', String((await clusters())[0])),
      directory.path('clusters/agenttier-before'),
    );
    const { status, stderr } = await cluster(path, 'up', provider);
    expect(status, stderr).toBe(0);
    expect(await clusters()).toEqual([expect.stringMatching(/^agenttier-\d+$/)]);
  });
});

it('begins and ends one at a time, whoever asks', async () => {
  await standIn('kind');
  const log = directory.path('log');
  await writeFile(
    directory.path('bin/kind'),
    `#!/bin/bash\necho "begin" >>${log}; sleep 0.1; echo "end" >>${log}`,
  );
  const path = directory.path('cluster');
  // Some come while others wait, after one that waited before them has removed the lock.
  const outcomes = await Promise.all(
    Array.from({ length: 24 }, async (_, index) => {
      await sleep(index * 40);
      return cluster(path, index % 2 === 0 ? 'up' : 'down');
    }),
  );
  expect(outcomes.map(({ stderr }) => stderr).join('')).toBe('');
  expect(outcomes.every(({ status }) => status === 0)).toBe(true);
  expect(await readFile(log, 'utf8')).toMatch(/^(begin\nend\n){4,}$/);
  await cluster(path, 'down');
  expect(await readdir(directory.root)).not.toContain('cluster.lock');
});
