import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Store } from '../../../sidecar/src/stores/store.ts';
import { type Bundle, bundle } from '../support/bundle.ts';
import { auditRows, databasePath, storedIds, testStore, until } from '../support/sqlite-store.ts';

let workers: Bundle;
beforeAll(async () => {
  workers = await bundle({
    scripted: new URL('./workers/scripted-worker.ts', import.meta.url),
  });
});
afterAll(() => workers.remove());

function scriptedStore(): { store: Store; path: string; disk(act?: string): void } {
  const path = databasePath();
  const script = `${path}.script`;
  const disk = (act?: string) => {
    if (act === 'hang') execFileSync('mkfifo', [script]);
    else if (act !== undefined) writeFileSync(script, act);
    else if (existsSync(script)) removeScript(script);
  };
  const store = testStore(path, { workerUrl: workers.url('scripted') });
  // Else a test that fails leaves a thread that cannot end, and a process with it.
  onTestFinished(() => disk());
  return { path, store, disk };
}

/**
 * Takes the script away. Whoever hangs in it goes on, and finds no other to hang in: a commit may sync twice,
 * and the second time nobody would let it go.
 */
function removeScript(script: string): void {
  // Also while nobody reads: whoever comes between gets its end from us.
  const writer = openSync(script, constants.O_RDWR | constants.O_NONBLOCK);
  rmSync(script);
  closeSync(writer);
}

/** Lets whoever hangs in opening a FIFO go on. */
function release(fifo: string): void {
  try {
    closeSync(openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK));
  } catch {
    // Nobody waits there.
  }
}

/** Descriptors of this process on a file. */
function openOf(path: string): number[] {
  return readdirSync('/proc/self/fd')
    .filter((descriptor) => {
      try {
        return readlinkSync(`/proc/self/fd/${descriptor}`) === path;
      } catch {
        // That of the directory itself, which is closed by now.
        return false;
      }
    })
    .map(Number);
}

function gauge(store: Store, wanted: string): number | undefined {
  return store.gauges?.().find(({ name }) => name === wanted)?.value;
}

function restarts(store: Store): number | undefined {
  return gauge(store, 'worker_restarts_total');
}

describe('a worker that fails', () => {
  it.each(['exit', 'throw', 'memory', 'EIO'])(
    'comes back after %s, nothing acknowledged lost',
    async (act) => {
      const { store, disk } = scriptedStore();
      await store.open();
      await store.append(auditRows('a', 'b'));

      disk(act);
      // An escaped exception ends the thread after the commit has been answered.
      const outcome = await store.append(auditRows('c')).then(
        () => 'acknowledged',
        () => 'failed',
      );
      expect(outcome).toBe(act === 'throw' ? 'acknowledged' : 'failed');
      await until(() => store.complaint?.() !== undefined);
      await expect(store.append(auditRows('d'))).rejects.toThrow();
      await expect(storedIds(store)).rejects.toThrow();

      disk(undefined);
      await store.open();
      expect(store.complaint?.()).toBeUndefined();
      expect(restarts(store)).toBe(1);
      const again = await store.append(auditRows('a', 'b', 'c', 'd'));
      expect(again.duplicates.slice(0, 2)).toEqual([0, 1]);
      expect((await storedIds(store)).sort()).toEqual(['a', 'b', 'c', 'd']);
    },
  );

  it('names the host error of a failed sync', async () => {
    const { store, disk } = scriptedStore();
    await store.open();
    disk('ENOSPC');
    await expect(store.append(auditRows('a'))).rejects.toMatchObject({
      class: 'transient',
      message: expect.stringContaining('ENOSPC'),
    });
  });
});

describe('a full volume', () => {
  it('ends neither the worker nor lists, and is over with the first write that finds room', async () => {
    const { store, disk } = scriptedStore();
    await store.open();
    await store.append(auditRows('a'));
    disk('no room');
    for (const id of ['b', 'c']) {
      await expect(store.append(auditRows(id))).rejects.toThrow('ENOSPC');
      expect(await storedIds(store)).toEqual(['a']);
    }
    disk(undefined);
    await store.append(auditRows('d'));
    expect(await storedIds(store)).toEqual(['a', 'd']);
    expect(restarts(store)).toBe(0);
  });

  it('keeps close from calling in order what a deleted log has lost', async () => {
    const { store, path, disk } = scriptedStore();
    await store.open();
    await store.append(auditRows('a'));
    disk('full');
    rmSync(`${path}-wal`);
    await expect(store.close(AbortSignal.timeout(10_000))).rejects.toMatchObject({
      reason: expect.stringMatching(/not closed in order: .*ENOSPC.*-wal was deleted, .* is lost/),
    });
  });
});

describe('a worker at rest', () => {
  it('moves the WAL as soon as it can, where that failed and no record comes any more', async () => {
    const { store, disk } = scriptedStore();
    await store.open();
    disk('full');
    await store.append(auditRows('a'));
    const failures = () => gauge(store, 'checkpoint_failures_total') ?? 0;
    await until(() => failures() > 1);
    expect(gauge(store, 'wal_bytes')).toBeGreaterThan(0);

    disk(undefined);
    await until(() => gauge(store, 'wal_bytes') === 0);
    const atRest = failures();
    await sleep(1_500);
    expect(failures()).toBe(atRest);
    expect(restarts(store)).toBe(0);
    expect(await storedIds(store)).toEqual(['a']);
  });
});

describe('a worker that hangs', () => {
  it('says for how long, refuses lists, keeps the append waiting and goes on', async () => {
    const { store, disk } = scriptedStore();
    await store.open();
    disk('hang');
    let settled = false;
    const append = store.append(auditRows('a')).finally(() => {
      settled = true;
    });
    const list = storedIds(store);
    list.catch(() => {});
    await until(() => store.complaint?.()?.match(/^worker hung for \d+ s$/));
    await expect(list).rejects.toThrow('worker hung');
    await expect(storedIds(store)).rejects.toThrow('worker hung');
    expect(settled).toBe(false);

    disk(undefined);
    expect(await append).toEqual({ duplicates: [] });
    expect(store.complaint?.()).toBeUndefined();
    expect(await storedIds(store)).toEqual(['a']);
    expect(restarts(store)).toBe(0);
  });

  it('does not keep close from returning when its signal says so', async () => {
    const { store, disk } = scriptedStore();
    await store.open();
    disk('hang');
    const append = store.append(auditRows('a'));
    append.catch(() => {});
    const start = performance.now();
    const reason = 'agenttier.db was not closed in order: the grace is over';
    await expect(store.close(AbortSignal.timeout(300))).rejects.toThrow(reason);
    expect(performance.now() - start).toBeLessThan(3_000);
    await expect(store.append(auditRows('b'))).rejects.toThrow('closed');
    disk(undefined);
    await append.catch(() => {});
  });

  it('is not joined by a second one when it has lost its lock', async () => {
    const { store, path, disk } = scriptedStore();
    await store.open();
    disk('hang');
    const append = store.append(auditRows('a'));
    const outcome = append.then(
      () => 'acknowledged',
      () => 'failed',
    );
    rmSync(`${path}.lock`);
    await until(() => store.complaint?.()?.includes('lock'));
    await expect(store.open()).rejects.toThrow('has not ended');
    expect(restarts(store)).toBe(0);

    disk(undefined);
    await until(() =>
      store.open().then(
        () => true,
        () => false,
      ),
    );
    expect(restarts(store)).toBe(1);
    expect(await outcome).toBe('failed');
  });
});

describe('a disk that hangs before there is a worker', () => {
  it('is a complaint, and keeps neither the process nor close waiting', async () => {
    const path = databasePath();
    const lock = `${path}.lock`;
    execFileSync('mkfifo', [lock]);
    onTestFinished(() => release(lock));
    const store = testStore(path);
    const opening = store.open().then(
      () => 'opened',
      () => 'failed',
    );
    await until(() => store.complaint?.()?.match(/^opening .+ hung for \d+ s$/));
    const start = performance.now();
    await store.close(AbortSignal.timeout(200));
    expect(performance.now() - start).toBeLessThan(3_000);
    release(lock);
    expect(await opening).toBe('failed');
  });
});

describe('a backup', () => {
  const NEVER = new AbortController().signal;

  async function bytesOf(store: Store): Promise<number> {
    const made = await store.backup?.(NEVER);
    let bytes = 0;
    for await (const part of made?.parts() ?? []) bytes += part.length;
    await made?.close();
    expect(bytes).toBe(made?.bytes);
    return bytes;
  }

  it('is refused while there is no database', async () => {
    const { store } = scriptedStore();
    await expect(store.backup?.(NEVER)).rejects.toThrow('the database is not open');
  });

  it('does not come to its end where the worker does before', async () => {
    const { store, disk } = scriptedStore();
    await store.open();
    const made = await store.backup?.(NEVER);
    disk('exit');
    await expect(store.append(auditRows('a'))).rejects.toThrow();
    await expect(made?.parts()[Symbol.asyncIterator]().next()).rejects.toThrow('worker');
    await made?.close();

    disk(undefined);
    await store.open();
    expect(await bytesOf(store)).toBeGreaterThan(0);
  });

  it('that nobody waits for any more leaves the file free for the next', async () => {
    const { store, disk } = scriptedStore();
    await store.open();
    disk('hang');
    const append = store.append(auditRows('a'));
    const late = store.backup?.(AbortSignal.timeout(200));
    await expect(late).rejects.toThrow('did not begin in time');
    disk(undefined);
    await append;
    await until(() => bytesOf(store).catch(() => false));
  });

  it('is refused at once by a worker that hangs', async () => {
    const { store, disk } = scriptedStore();
    await store.open();
    disk('hang');
    const append = store.append(auditRows('a'));
    await until(() => store.complaint?.()?.startsWith('worker hung'));
    await expect(store.backup?.(NEVER)).rejects.toThrow('worker hung');
    disk(undefined);
    await append;
  });

  it('ends where others take the room that its log needs, though no record comes', async () => {
    const { store, disk, path } = scriptedStore();
    await store.open();
    await store.append(auditRows(...Array.from({ length: 5_000 }, (_, n) => `before-${n}`)));
    const made = await store.backup?.(NEVER);
    expect(made?.bytes).toBeGreaterThan(1_000_000);
    const parts = made?.parts()[Symbol.asyncIterator]();
    expect((await parts?.next())?.done).toBe(false);
    await store.append(auditRows('a'));
    // Past the moment at which an idle worker empties the log.
    await sleep(1_500);
    expect(statSync(`${path}-wal`).size).toBeGreaterThan(0);
    disk('tight');
    await until(() => statSync(`${path}-wal`).size === 0);
    // Not at its end alone.
    await expect(parts?.next()).rejects.toThrow('had to be moved');
    await made?.close();
    disk(undefined);
    expect(await bytesOf(store)).toBeGreaterThan(1_000_000);
  });

  it('leaves the file free for the next one though its own handle cannot be closed', async () => {
    const { store, path } = scriptedStore();
    await store.open();
    const before = openOf(path);
    const made = await store.backup?.(NEVER);
    // As a network file system answers to a close, it fails.
    for (const descriptor of openOf(path)) {
      if (!before.includes(descriptor)) closeSync(descriptor);
    }
    await expect(made?.close()).rejects.toThrow('EBADF');
    expect(await bytesOf(store)).toBeGreaterThan(0);
  });

  it('is ended by whoever gives it up, and the next one may be made', async () => {
    const { store } = scriptedStore();
    await store.open();
    const made = await store.backup?.(NEVER);
    await expect(store.backup?.(NEVER)).rejects.toThrow('another backup is being made');
    await made?.close();
    await made?.close();
    expect(await bytesOf(store)).toBeGreaterThan(0);
  });
});
