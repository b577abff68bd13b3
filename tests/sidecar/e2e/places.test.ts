import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  symlinkSync,
} from 'node:fs';
import { describe, expect, it } from 'vitest';
import { postAudit, RECORD } from '../support/post.ts';
import { type SidecarProcess, startSidecar } from '../support/sidecar-process.ts';
import { until } from '../support/sqlite-store.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { isRoot, NOBODY, startAsNobody } from './support/confined.ts';
import { idsInFile, listedIds } from './support/stored.ts';
import { smallVolume } from './support/volume.ts';

/** Stores one record for certain. */
async function store(sidecar: SidecarProcess, event_id: string): Promise<void> {
  const response = await postAudit(sidecar.api, { ...RECORD, event_id }, { Prefer: 'wait=30' });
  expect(response.status).toBe(201);
}

/** What storage that is down says, while records are still taken. */
async function reasonOf(sidecar: SidecarProcess): Promise<string> {
  const reason = await until<string | null>(async () => {
    const { storage, reason: why } = await sidecar.readiness();
    return storage === 'down' && why !== 'storage is being opened' && why;
  });
  const response = await postAudit(sidecar.api, { ...RECORD, event_id: 'early' });
  expect(response.status).toBe(202);
  return String(reason);
}

describe.concurrent('a database path', () => {
  it('may be relative, in directories still to be made, with spaces and letters of any script', async () => {
    await using directory = await temporaryDirectory();
    const name = 'Größe 高 – a file.db';
    await using sidecar = await startSidecar(
      { STORAGE_SQLITE_PATH: `not yet/täglich/${name}` },
      { cwd: directory.root },
    );
    await sidecar.storage('up');
    await store(sidecar, 'a');
    expect((await sidecar.stop()).code).toBe(0);
    expect(readdirSync(directory.path('not yet', 'täglich'))).toEqual([name]);
    expect(idsInFile(directory.path('not yet', 'täglich', name))).toEqual(['a']);
  });

  it('may be a symbolic link: two names are one file, and one sidecar at a time has it', async () => {
    await using directory = await temporaryDirectory();
    mkdirSync(directory.path('real'));
    mkdirSync(directory.path('links'));
    const real = directory.path('real', 'agenttier.db');
    const link = directory.path('links', 'agenttier.db');
    symlinkSync('../real/agenttier.db', link);
    await using sidecar = await startSidecar({ STORAGE_SQLITE_PATH: link });
    await sidecar.storage('up');
    await store(sidecar, 'a');
    expect(existsSync(`${real}-wal`)).toBe(true);
    {
      await using second = await startSidecar({ STORAGE_SQLITE_PATH: real });
      expect(await reasonOf(second)).toContain(`process ${sidecar.pid}) holds`);
      await second.kill();
    }
    expect((await sidecar.stop()).code).toBe(0);
    expect(readdirSync(directory.path('links'))).toEqual(['agenttier.db']);
    expect(readdirSync(directory.path('real'))).toEqual(['agenttier.db']);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(idsInFile(real)).toEqual(['a']);
  });

  it('that is a directory: the reason says what to set, and it heals when that is gone', async () => {
    await using directory = await temporaryDirectory();
    const path = directory.path('agenttier.db');
    mkdirSync(path);
    await using sidecar = await startSidecar({ STORAGE_SQLITE_PATH: path });
    expect(await reasonOf(sidecar)).toBe(
      `the database path ${path} is not a file; set STORAGE_SQLITE_PATH to a file; its directory is made if it is missing`,
    );
    rmdirSync(path);
    await sidecar.storage('up', 20_000);
    await store(sidecar, 'a');
    expect((await listedIds(sidecar.api)).sort()).toEqual(['a', 'early']);
    expect((await sidecar.stop()).code).toBe(0);
  });

  it('on a volume that is mounted read-only: the reason says so, and it heals', async ({
    skip,
  }) => {
    await using directory = await temporaryDirectory();
    mkdirSync(directory.path('volume'));
    await using volume = smallVolume(directory.path('volume'), 2 ** 24);
    if (volume === undefined) return skip('this machine does not let us mount a tmpfs');
    volume.remount('ro');
    await using sidecar = await startSidecar({
      STORAGE_SQLITE_PATH: directory.path('volume', 'sub', 'agenttier.db'),
    });
    expect(await reasonOf(sidecar)).toContain(
      'EROFS; the volume is mounted read-only: mount it writable',
    );
    volume.remount('rw');
    await sidecar.storage('up', 20_000);
    await store(sidecar, 'a');
    expect((await listedIds(sidecar.api)).sort()).toEqual(['a', 'early']);
    expect((await sidecar.stop()).code).toBe(0);
  });

  it.for([
    ['whose directory may not be written', 'agenttier.db'],
    ['whose directory may not be made', 'sub/agenttier.db'],
  ] as const)('%s: the reason says what to grant, and it heals', async ([, name]) => {
    await using directory = await temporaryDirectory();
    chmodSync(directory.root, 0o755);
    mkdirSync(directory.path('data'));
    chmodSync(directory.path('data'), 0o555);
    await using sidecar = await startAsNobody({
      STORAGE_SQLITE_PATH: directory.path('data', name),
    });
    expect(await reasonOf(sidecar)).toMatch(
      /EACCES; let the process write in that directory \(in Kubernetes: fsGroup of the Pod\)$/,
    );
    if (isRoot) chownSync(directory.path('data'), NOBODY, NOBODY);
    chmodSync(directory.path('data'), 0o755);
    await sidecar.storage('up', 20_000);
    await store(sidecar, 'a');
    expect((await listedIds(sidecar.api)).sort()).toEqual(['a', 'early']);
    expect((await sidecar.stop()).code).toBe(0);
  });
});
