import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { run } from '../../../scripts/tools/run.ts';
import { postAudit, RECORD } from '../support/post.ts';
import { SidecarProcess } from '../support/sidecar-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

function script(name: string, env: Record<string, string>, cwd: string, args: string[] = []) {
  const path = fileURLToPath(new URL(`../../../scripts/${name}.ts`, import.meta.url));
  const addresses = { STORAGE_API_ADDRESS: '127.0.0.1:0', STORAGE_OPS_ADDRESS: '127.0.0.1:0' };
  const child = spawn(process.execPath, [path, ...args], {
    env: { ...addresses, ...env },
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return new SidecarProcess(child);
}

/** Makes a checkout of what a build takes, which has a `sidecar/dist` of its own. */
async function copySources(checkout: string): Promise<void> {
  const root = fileURLToPath(new URL('../../../', import.meta.url));
  await mkdir(checkout, { recursive: true });
  for (const part of ['scripts', 'sidecar/src', 'package.json']) {
    await cp(join(root, part), join(checkout, part), { recursive: true });
  }
  await symlink(join(root, 'node_modules'), join(checkout, 'node_modules'));
}

function build(checkout: string) {
  return run(process.execPath, [join(checkout, 'scripts/build.ts')]);
}

describe.concurrent('the scripts', () => {
  it('sidecar: is the bundle itself, so that signals and exit codes are its own', async () => {
    await using directory = await temporaryDirectory();
    await using sidecar = script('sidecar', {}, directory.root);
    await sidecar.listening(['api', 'ops']);
    expect(await sidecar.readiness()).toMatchObject({ storage: 'noop', driver: 'none' });
    const starting = await sidecar.log(({ msg }) => msg === 'starting');
    expect(starting.pid).toBe(sidecar.pid);
    expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
  });

  it('sidecar: passes its arguments on', async () => {
    await using directory = await temporaryDirectory();
    const env = { STORAGE_QUEUE_BYTES: 'many' };
    await using check = script('sidecar', env, directory.root, ['--check']);
    expect(await check.exited).toEqual({ code: 2, signal: null });
    expect(check.stray).toContain('STORAGE_QUEUE_BYTES');
  });

  it('build: clears away what builds left that did not end, and leaves those that run alone', async () => {
    await using directory = await temporaryDirectory();
    const dist = directory.path('sidecar/dist');
    await copySources(directory.root);
    await mkdir(dist);
    const { pid: gone } = spawnSync(process.execPath, ['--version']);
    const running = `.main.mjs.${process.pid}`;
    for (const name of [`.main.mjs.${gone}`, running, '.mine', 'chunk-OLD.mjs']) {
      await writeFile(join(dist, name), '');
    }
    expect(await build(directory.root)).toMatchObject({ status: 0, stderr: '' });
    const left = await readdir(dist);
    expect(left.filter((name) => name.startsWith('.')).sort()).toEqual([running, '.mine']);
    expect(left).not.toContain('chunk-OLD.mjs');
    expect(left).toContain('main.mjs');
  });

  it('build: leaves no unfinished file where it fails', async () => {
    await using directory = await temporaryDirectory();
    await copySources(directory.root);
    // A file cannot take a directory's place.
    await mkdir(directory.path('sidecar/dist/main.mjs'), { recursive: true });
    const { status, stderr } = await build(directory.root);
    expect(status).not.toBe(0);
    expect(stderr).toContain('EISDIR');
    const left = await readdir(directory.path('sidecar/dist'));
    expect(left.filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('sidecar: is built and runs in a directory whose name a URL would write otherwise', async () => {
    await using directory = await temporaryDirectory();
    const checkout = directory.path('my projects, 100 %', 'é');
    await copySources(checkout);
    expect((await build(checkout)).stderr).toBe('');
    const program = join(checkout, 'scripts/sidecar.ts');
    const checked = spawnSync(process.execPath, [program, '--check'], { env: {} });
    expect(checked.status).toBe(0);
  });

  it('start: keeps records in ./data/agenttier.db', async () => {
    await using directory = await temporaryDirectory();
    await using sidecar = script('start', {}, directory.root);
    await sidecar.listening(['api', 'ops']);
    await sidecar.storage('up');
    expect((await postAudit(sidecar.api, RECORD, { Prefer: 'wait=20' })).status).toBe(201);
    expect(existsSync(directory.path('data', 'agenttier.db'))).toBe(true);
    expect(sidecar.stray).toContain('./data/agenttier.db');
    expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
  });

  it.for([
    [{ STORAGE_DRIVER: 'none' }, 'none'],
    [{ STORAGE_DSN: 'postgres://ana:hunter2@db/x' }, 'postgres'],
    [{ STORAGE_SQLITE_PATH: 'other.db' }, 'sqlite'],
    [{ STORAGE_SQLITE_PATH: '', STORAGE_DRIVER: '' }, 'sqlite'],
  ] as const)(
    'start: leaves the choice to the environment where it makes one: %j',
    async ([env, driver]) => {
      await using directory = await temporaryDirectory();
      await using sidecar = script('start', env, directory.root);
      await sidecar.listening(['api', 'ops']);
      expect((await sidecar.readiness()).driver).toBe(driver);
      expect(sidecar.stray + JSON.stringify(sidecar.logs)).not.toContain('hunter2');
      const chosen = Object.values(env).some((value) => value !== '');
      if (chosen) expect(existsSync(directory.path('data'))).toBe(false);
      else await sidecar.storage('up');
      expect((await sidecar.stop()).code).toBe(0);
    },
  );
});
