import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { formatLock, parseLock } from '../../../sidecar/src/stores/sqlite/lock/lock-content.ts';
import { LockFile } from '../../../sidecar/src/stores/sqlite/lock/lock-file.ts';
import {
  monotonicNow,
  ownIdentity,
} from '../../../sidecar/src/stores/sqlite/lock/process-identity.ts';
import { SharedState } from '../../../sidecar/src/stores/sqlite/lock/shared-state.ts';
import { SignOfLife } from '../../../sidecar/src/stores/sqlite/lock/sign-of-life.ts';
import { databasePath, until } from '../support/sqlite-store.ts';

function lockFile(database: string): { lock: LockFile; state: SharedState } {
  const state = new SharedState();
  const lock = new LockFile(database, state);
  onTestFinished(() => lock.release());
  return { lock, state };
}

/** Leaves a lock file as another holder would have. */
async function leaveLock(database: string, differs: Record<string, unknown> = {}): Promise<void> {
  const content = {
    owner: 'another',
    ...(await ownIdentity()),
    beat: 1,
    monotonicMs: Number(monotonicNow() / 1_000_000n),
    time: new Date().toISOString(),
    ...differs,
  };
  writeFileSync(`${database}.lock`, formatLock(content));
}

function acquired(lock: LockFile): Promise<boolean> {
  return lock.acquire().then(
    () => true,
    () => false,
  );
}

describe('a lock file', () => {
  it('is made, told apart, renewed and removed', async () => {
    const database = databasePath();
    const { lock, state } = lockFile(database);
    expect(state.lockAgeMs).toBe(Number.POSITIVE_INFINITY);
    expect(await lock.acquire()).toBeUndefined();
    expect(state.lockAgeMs).toBeLessThan(5_000);
    const first = parseLock(readFileSync(lock.path, 'utf8'));
    expect(first).toMatchObject(await ownIdentity());
    expect(await lock.beat()).toBeUndefined();
    expect(parseLock(readFileSync(lock.path, 'utf8'))?.beat).toBeGreaterThan(first!.beat);
    await lock.release();
    expect(state.lockAgeMs).toBe(Number.POSITIVE_INFINITY);
    expect(readdirSync(dirname(database))).toEqual([]);
  });

  it('keeps a second holder out and names the first', async () => {
    const database = databasePath();
    await lockFile(database).lock.acquire();
    const second = lockFile(database).lock;
    const { host, pid } = await ownIdentity();
    await expect(second.acquire()).rejects.toMatchObject({
      class: 'transient',
      message: `another sidecar (host ${host}, process ${pid}) holds ${second.path}, waiting`,
    });
  });

  it('is taken over at once from a process that is dead', async () => {
    const database = databasePath();
    const child: ChildProcess = spawn('true');
    await once(child, 'exit');
    await leaveLock(database, { pid: child.pid });
    const { lock } = lockFile(database);
    expect(await lock.acquire()).toMatchObject({ owner: 'another', pid: child.pid });
  });

  it('is taken over at once when another process has the number now', async () => {
    const database = databasePath();
    await leaveLock(database, { started: '1' });
    expect(await acquired(lockFile(database).lock)).toBe(true);
  });

  it('is taken over at once from another container of the Pod whose sign of life has ended', async () => {
    const database = databasePath();
    const sign = new SignOfLife('another');
    const network = await sign.give();
    expect(network).toMatch(/^net:/);
    const elsewhere = { pidNamespace: 'pid:[2]', network };
    // Its beats may be late: as long as the process is there it may write.
    const late = Number(monotonicNow() / 1_000_000n) - 4_000;
    await leaveLock(database, { ...elsewhere, monotonicMs: late });
    expect(await acquired(lockFile(database).lock)).toBe(false);
    sign.end();
    await leaveLock(database, elsewhere);
    expect(await acquired(lockFile(database).lock)).toBe(true);
  });

  it.for([
    ['in another network', { network: 'net:[1]' }],
    ['before another boot', { boot: 'another', network: undefined }],
    ['without a sign of life', { network: '' }],
    ['by a version that gave none', {}],
  ] as const)('is waited for when it was left %s', async ([, differs]) => {
    const database = databasePath();
    const sign = new SignOfLife('own');
    onTestFinished(() => sign.end());
    const network = await sign.give();
    const more = 'network' in differs && differs.network === undefined ? { network } : {};
    await leaveLock(database, { pidNamespace: 'pid:[2]', ...differs, ...more });
    expect(await acquired(lockFile(database).lock)).toBe(false);
  });

  it('is not taken over from a process that lives and has just renewed it', async () => {
    const database = databasePath();
    await leaveLock(database);
    expect(await acquired(lockFile(database).lock)).toBe(false);
  });

  it('is taken over within seconds when it holds nothing readable, counted over attempts', async () => {
    const database = databasePath();
    writeFileSync(`${database}.lock`, '');
    const { lock } = lockFile(database);
    const start = performance.now();
    await expect(lock.acquire()).rejects.toThrow('not readable');
    await until(() => acquired(lock));
    expect(performance.now() - start).toBeGreaterThan(4_900);
  });

  it('is lost when it is removed', async () => {
    const { lock, state } = lockFile(databasePath());
    await lock.acquire();
    rmSync(lock.path);
    expect(await lock.beat()).toContain('removed or taken over');
    expect(lock.held).toBe(false);
    expect(state.lockAgeMs).toBe(Number.POSITIVE_INFINITY);
  });

  it('is lost when somebody else has taken it over, whose file stays as it is', async () => {
    const database = databasePath();
    const { lock } = lockFile(database);
    await lock.acquire();
    renameSync(lock.path, `${lock.path}.aside`);
    await leaveLock(database);
    const theirs = readFileSync(lock.path, 'utf8');
    expect(await lock.beat()).toContain('removed or taken over');
    await lock.release();
    expect(readFileSync(lock.path, 'utf8')).toBe(theirs);
  });

  it('is ours again at once after it was lost for a moment and put back', async () => {
    const { lock } = lockFile(databasePath());
    await lock.acquire();
    renameSync(lock.path, `${lock.path}.aside`);
    await lock.beat();
    renameSync(`${lock.path}.aside`, lock.path);
    await lock.acquire();
    expect(await lock.beat()).toBeUndefined();
    expect(lock.held).toBe(true);
  });

  it('has one winner when many wait for a stale one', async () => {
    for (let round = 0; round < 20; round++) {
      const database = databasePath();
      await leaveLock(database, { started: '1' });
      const waiters = Array.from({ length: 8 }, () => lockFile(database).lock);
      const outcomes = await Promise.all(waiters.map(acquired));
      expect(outcomes.filter((won) => won).length).toBeLessThanOrEqual(1);
      const winner = await until(async () => {
        for (const lock of waiters) if (await acquired(lock)) return lock;
        return undefined;
      });
      expect(await winner.beat()).toBeUndefined();
      expect(waiters.filter((lock) => lock.held)).toEqual([winner]);
      await winner.release();
      expect(readdirSync(dirname(database))).toEqual([]);
    }
  });

  it('sweeps away what a waiter that was killed has left', async () => {
    const database = databasePath();
    const aside = `${database}.lock.left-behind`;
    writeFileSync(aside, '');
    utimesSync(aside, 1, 1);
    writeFileSync(`${database}.lock.fresh`, '');
    await lockFile(database).lock.acquire();
    expect(readdirSync(dirname(database)).sort()).toEqual([
      'agenttier.db.lock',
      'agenttier.db.lock.fresh',
    ]);
  });

  it('says what to do where it cannot be made', async () => {
    await expect(lockFile('/proc/agenttier.db').lock.acquire()).rejects.toThrow('cannot create');
  });
});
