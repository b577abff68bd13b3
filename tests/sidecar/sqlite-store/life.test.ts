import { createHook } from 'node:async_hooks';
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import type { ListQuery } from '../../../sidecar/src/records/list.ts';
import { lowSpaceWarning } from '../../../sidecar/src/stores/sqlite/volume.ts';
import { UPSTREAM } from '../sqlite-database/harness.ts';
import { auditRows, databasePath, storedIds, testStore, until } from '../support/sqlite-store.ts';

function integrityOf(path: string): unknown {
  const database = new DatabaseSync(path);
  const row = database.prepare('PRAGMA integrity_check').get();
  database.close();
  return row?.integrity_check;
}

const soon = () => AbortSignal.timeout(5_000);

describe('the SQLite store', () => {
  it('holds lock, WAL and shm directory while open, and leaves one file', async () => {
    const path = databasePath();
    const store = testStore(path);
    await store.open();
    await store.append(auditRows('a'));
    expect(readdirSync(dirname(path)).sort()).toEqual([
      'agenttier.db',
      'agenttier.db-shm',
      'agenttier.db-wal',
      'agenttier.db.lock',
    ]);
    await store.close(soon());
    expect(readdirSync(dirname(path))).toEqual(['agenttier.db']);
    const again = testStore(path);
    await again.open();
    expect(await storedIds(again)).toEqual(['a']);
  });

  it('takes two threads of the pool at most while it is open, for beat and looks', async () => {
    const store = testStore(databasePath());
    await store.open();
    const underWay = new Set<number>();
    let most = 0;
    let calls = 0;
    const hook = createHook({
      init(id, type) {
        if (type !== 'FSREQPROMISE') return;
        underWay.add(id);
        calls += 1;
        most = Math.max(most, underWay.size);
      },
      before: (id) => void underWay.delete(id),
    }).enable();
    onTestFinished(() => void hook.disable());
    // Of each second's beat two calls, and of its look three.
    await until(() => calls >= 10);
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(2);
  });

  it('names a shm directory that it cannot remove', async () => {
    const path = databasePath();
    const log = new PassThrough({ encoding: 'utf8' });
    const store = testStore(path, { log });
    mkdirSync(`${path}-shm/kept`, { recursive: true });
    await store.open();
    await store.close(soon());
    expect(log.read()).toMatch(`cannot remove the directory ${path}-shm: ENOTEMPTY`);
  });

  it('says what it did to a file of another form, and nothing of one in order', async () => {
    const path = databasePath();
    copyFileSync(UPSTREAM, path);
    const opened = async () => {
      const log = new PassThrough({ encoding: 'utf8' });
      const store = testStore(path, { log });
      await store.open();
      await store.close(soon());
      return String(log.read());
    };
    expect(await opened()).toMatch(
      /"from":0,"to":1,"times_rewritten":\d\d+,.*migrated the database/,
    );
    expect(await opened()).not.toContain('migrated');
  });

  it('does not work on a list that nobody waits for', async () => {
    const store = testStore(databasePath());
    await store.open();
    const query: ListQuery = { kind: AUDIT_EVENT, filters: new Map(), order: 'desc', limit: 1 };
    await expect(store.list(query, AbortSignal.abort())).rejects.toThrow('nobody waits');
    expect(await store.list(query, soon())).toEqual({ items: [], next: null });
  });

  it('takes no part of a buffer that others share', async () => {
    const store = testStore(databasePath());
    await store.open();
    const { bytes, count } = auditRows('a', 'b');
    const shared = Buffer.concat([Buffer.from('before'), bytes, Buffer.from('after')]);
    const part = shared.subarray(6, 6 + bytes.length);
    await store.append({ bytes: part, count });
    expect(shared.toString('latin1')).toMatch(/^before.*after$/s);
    expect(await storedIds(store)).toEqual(['a', 'b']);
  });

  it('makes the directory, with spaces and letters of any script', async () => {
    const path = join(dirname(databasePath()), 'new dir', 'Прüfung 🦄', 'a b.db');
    const store = testStore(path);
    await store.open();
    await store.append(auditRows('a'));
    expect(await storedIds(store)).toEqual(['a']);
  });

  it('follows symbolic links, also to a file still to be made, and keeps all beside it', async () => {
    const path = databasePath();
    const real = join(dirname(path), 'volume', 'real.db');
    symlinkSync(join('volume', 'real.db'), path);
    const store = testStore(path);
    await store.open();
    await store.append(auditRows('a'));
    expect(lstatSync(path).isSymbolicLink()).toBe(true);
    expect(existsSync(`${real}.lock`)).toBe(true);
    const second = testStore(real);
    await expect(second.open()).rejects.toThrow('another sidecar');
    await store.close(soon());
    expect(readdirSync(dirname(real))).toEqual(['real.db']);
  });

  it('says what is wrong with a path that cannot be', async () => {
    const path = databasePath();
    mkdirSync(path);
    await expect(testStore(path).open()).rejects.toMatchObject({
      reason: expect.stringMatching(/is not a file; set STORAGE_SQLITE_PATH/),
    });
    const file = join(dirname(path), 'file');
    writeFileSync(file, '');
    await expect(testStore(join(file, 'a.db')).open()).rejects.toMatchObject({
      reason: expect.stringMatching(/E(NOTDIR|EXIST); a part of the path is a file/),
    });
    const circle = join(dirname(path), 'circle');
    symlinkSync(circle, circle);
    await expect(testStore(circle).open()).rejects.toMatchObject({
      reason: expect.stringContaining('lead in a circle'),
    });
  });

  it.runIf(existsSync('/sys/kernel'))('says so where it may not write', async () => {
    await expect(testStore('/sys/kernel/agenttier.db').open()).rejects.toMatchObject({
      reason: expect.stringMatching(/cannot create the lock .+: E\w+; .*writ/),
    });
  });

  it('notices that its file was deleted, and begins a new one', async () => {
    const path = databasePath();
    const store = testStore(path);
    await store.open();
    await store.append(auditRows('a'));
    rmSync(path);
    await until(() => store.complaint?.()?.includes('was deleted or replaced while it was open'));
    await expect(store.append(auditRows('b'))).rejects.toThrow('deleted or replaced');
    await store.open();
    await store.append(auditRows('c'));
    expect(existsSync(path)).toBe(true);
    expect(await storedIds(store)).toContain('c');
  });

  it('loses nothing when the WAL is deleted under it, and opens anew', async () => {
    const path = databasePath();
    const store = testStore(path);
    await store.open();
    await store.append(auditRows('a', 'b'));
    rmSync(`${path}-wal`);
    // Nothing is appended meanwhile: it looks by itself.
    await until(() => store.complaint?.()?.includes('-wal was deleted or replaced'));
    await store.open();
    expect(await storedIds(store)).toEqual(['a', 'b']);
    expect(await store.append(auditRows('b', 'c'))).toEqual({ duplicates: [0] });
  });

  it('makes its shm directory anew when that is removed', async () => {
    const path = databasePath();
    const store = testStore(path);
    await store.open();
    await store.append(auditRows('a'));
    rmSync(`${path}-shm`, { recursive: true });
    await until(() => store.complaint?.()?.includes(`${path}-shm was removed`));
    await store.open();
    expect(lstatSync(`${path}-shm`).isDirectory()).toBe(true);
    expect(await storedIds(store)).toEqual(['a']);
  });

  it('opens a file anew that was put in its place, without the WAL of the former', async () => {
    const path = databasePath();
    const log = new PassThrough({ encoding: 'utf8' });
    const first = testStore(path);
    await first.open();
    await first.append(auditRows('a'));
    await first.close(soon());
    copyFileSync(path, `${path}.backup`);
    const second = testStore(path);
    await second.open();
    await second.append(auditRows('later'));
    await second.close(soon());

    const store = testStore(path, { log });
    await store.open();
    await store.append(auditRows('b'));
    renameSync(`${path}.backup`, path);
    await expect(store.append(auditRows('c'))).rejects.toThrow('was deleted or replaced');
    await store.open();
    expect(await store.append(auditRows('c'))).toEqual({ duplicates: [] });
    expect(await storedIds(store)).toEqual(['a', 'c']);
    const told = [expect.stringContaining('was replaced while it was open')];
    expect(store.warnings?.()).toEqual(told);
    // And after the next worker has found all in order, too.
    rmSync(`${path}-shm`, { recursive: true });
    await until(() => store.complaint?.()?.includes(`${path}-shm was removed`));
    await store.open();
    expect(store.warnings?.()).toEqual(told);
    await store.close(soon());
    expect(integrityOf(path)).toBe('ok');
    expect(log.read()).toMatch('was replaced while it was open');
  });

  it('notices at rest that the file was overwritten in its place', async () => {
    const path = databasePath();
    const store = testStore(path);
    await store.open();
    await store.append(auditRows('a'));
    // The next look begins from the file as it is.
    await until(() => statSync(`${path}-wal`).size === 0);
    copyFileSync(path, `${path}.backup`);
    await store.append(auditRows(...Array.from({ length: 500 }, (_, n) => `b${n}`)));
    await until(() => statSync(`${path}-wal`).size === 0);
    await sleep(2_500);
    copyFileSync(`${path}.backup`, path);
    await until(() => store.complaint?.()?.includes('was overwritten or cut while it was open'));
    await store.open();
    expect(store.warnings?.()).toEqual([expect.stringContaining('was replaced while it was open')]);
    await store.append(auditRows('c'));
    expect(await storedIds(store)).toEqual(['a', 'c']);
    await store.close(soon());
    expect(integrityOf(path)).toBe('ok');
  });

  it('moves the WAL into the file once it is idle', async () => {
    const path = databasePath();
    const store = testStore(path);
    await store.open();
    await store.append(auditRows('a', 'b'));
    const copy = `${path}.copy`;
    await until(() => {
      copyFileSync(path, copy);
      const database = new DatabaseSync(copy, { readOnly: false });
      const count = database.prepare('SELECT count(*) AS n FROM audit_events').get()?.n;
      database.close();
      return count === 2;
    });
  });

  it('tells its figures, and the space of the volume', async () => {
    const store = testStore(databasePath());
    await store.open();
    const figure = (name: string) => store.gauges?.().find((gauge) => gauge.name === name)?.value;
    // At rest it is emptied.
    await until(async () => {
      await store.append(auditRows('a'));
      return (figure('wal_bytes') ?? 0) > 0;
    });
    await until(() => figure('wal_bytes') === 0 && (figure('volume_free_bytes') ?? 0) > 0);
    expect(figure('database_bytes')).toBeGreaterThan(0);
    expect(figure('worker_restarts_total')).toBe(0);
    expect(figure('checkpoint_failures_total')).toBe(0);
  });

  it('goes on with the same worker after the database has refused a value', async () => {
    const path = databasePath();
    const first = testStore(path);
    await first.open();
    await first.close(soon());
    const other = new DatabaseSync(path);
    other.exec(`CREATE TRIGGER somebodys BEFORE INSERT ON audit_events
      WHEN new.event_id = 'poison' BEGIN SELECT RAISE(ABORT, 'no'); END`);
    other.close();

    const store = testStore(path);
    await store.open();
    await expect(store.append(auditRows('a', 'poison'))).rejects.toMatchObject({ class: 'data' });
    expect(store.complaint?.()).toBeUndefined();
    expect(await store.append(auditRows('a', 'b'))).toEqual({ duplicates: [] });
    expect(await storedIds(store)).toEqual(['a', 'b']);
    const restarts = store.gauges?.().find(({ name }) => name === 'worker_restarts_total');
    expect(restarts?.value).toBe(0);
  });

  it('warns when less than a tenth of the volume is free', () => {
    const space = (freeBytes: number) => ({ freeBytes, totalBytes: 1_000 * 2 ** 20 });
    expect(lowSpaceWarning('/data', space(100 * 2 ** 20))).toBeUndefined();
    expect(lowSpaceWarning('/data', space(99.5 * 2 ** 20))).toBe(
      'the volume of /data has 9 % (99 MiB) free; enlarge it or prune',
    );
  });

  it('rejects what comes before open and after close', async () => {
    const store = testStore(databasePath());
    const query = { kind: AUDIT_EVENT, filters: new Map(), order: 'asc', limit: 1 } as const;
    await expect(store.append(auditRows('a'))).rejects.toThrow('not open');
    await expect(store.list(query)).rejects.toThrow('not open');
    await store.close(soon());
    await store.close(soon());
    await expect(store.open()).rejects.toThrow('closed');
    await expect(store.append(auditRows('a'))).rejects.toThrow('closed');
  });

  it('can be closed while it is being opened, and leaves nothing running', async () => {
    const path = databasePath();
    const store = testStore(path);
    const opening = store.open().catch(() => {});
    await store.close(soon());
    await opening;
    expect(existsSync(`${path}.lock`)).toBe(false);
    expect(existsSync(`${path}-shm`)).toBe(false);
  });
});
