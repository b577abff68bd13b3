import { existsSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import { LockFile } from '../../../sidecar/src/stores/sqlite/lock/lock-file.ts';
import { SharedState } from '../../../sidecar/src/stores/sqlite/lock/shared-state.ts';
import { auditRows, databasePath, storedIds, testStore, until } from '../support/sqlite-store.ts';

/** How long a file takes to be closed, as on a network volume, which flushes then. */
const CLOSE_MS = 1_000;

vi.mock('node:fs/promises', async (original) => {
  const files = await original<typeof import('node:fs/promises')>();
  return {
    ...files,
    open: async (...args: Parameters<typeof files.open>) => {
      const handle = await files.open(...args);
      const { close } = handle;
      handle.close = () => sleep(CLOSE_MS).then(close);
      return handle;
    },
  };
});

test('a lock that is made anew while the one before is being closed stays, and keeps others out', async () => {
  const database = databasePath();
  const state = new SharedState();
  const lock = new LockFile(database, state);
  onTestFinished(() => lock.release());
  await lock.acquire();
  rmSync(lock.path);
  const lost = lock.beat();
  await until(() => !lock.held);
  await lock.acquire();
  expect(await lost).toContain('removed or taken over');
  expect(lock.held).toBe(true);
  expect(existsSync(lock.path)).toBe(true);
  expect(state.lockAgeMs).toBeLessThan(5_000);
  await expect(new LockFile(database, new SharedState()).acquire()).rejects.toThrow('holds');
});

test('the late word of a lock that was lost leaves the worker alone that began since', async () => {
  const path = databasePath();
  const store = testStore(path);
  await store.open();
  await store.append(auditRows('a'));
  rmSync(`${path}.lock`);
  // The beat has noticed, and is still closing the lock when the next one is there.
  await until(() =>
    store.append(auditRows('a')).then(
      () => false,
      () => true,
    ),
  );
  await store.open();
  await store.append(auditRows('b'));
  const end = performance.now() + 2 * CLOSE_MS;
  while (performance.now() < end) {
    expect(store.complaint?.()).toBeUndefined();
    await sleep(50);
  }
  expect(await storedIds(store)).toEqual(['a', 'b']);
  const restarts = store.gauges?.().find(({ name }) => name === 'worker_restarts_total');
  expect(restarts?.value).toBe(1);
});
