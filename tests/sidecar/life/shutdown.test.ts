import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { postAudit, RECORD } from '../support/post.ts';
import { startSidecar } from '../support/sidecar-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const POLL = { timeout: 20_000, interval: 50 };

describe.concurrent('a shutdown', () => {
  it.for(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'by %s ends an idle sidecar soon, with 0',
    async (name) => {
      await using sidecar = await startSidecar();
      const startedAt = performance.now();
      sidecar.signal(name);
      expect(await sidecar.exited).toEqual({ code: 0, signal: null });
      expect(performance.now() - startedAt).toBeLessThan(15_000);
    },
  );

  it('writes its last line though that goes to a file', async ({ expect }) => {
    await using directory = await temporaryDirectory();
    const log = openSync(directory.path('log'), 'w');
    const main = fileURLToPath(new URL('../../../sidecar/dist/main.mjs', import.meta.url));
    const port = await freePort();
    const env = {
      STORAGE_API_ADDRESS: `127.0.0.1:${port}`,
      STORAGE_OPS_ADDRESS: 'off',
      STORAGE_DRIVER: 'sqlite',
      STORAGE_SHUTDOWN_GRACE: '0',
    };
    const child = spawn(process.execPath, [main], { env, stdio: ['ignore', log, 'inherit'] });
    closeSync(log);
    try {
      const exited = once(child, 'exit');
      const api = `http://127.0.0.1:${port}`;
      const post = () => postAudit(api, RECORD).then(({ status }) => status);
      await expect.poll(post, POLL).toBe(202);
      child.kill('SIGTERM');
      expect(await exited).toEqual([1, null]);
      const lines = (await readFile(directory.path('log'), 'utf8')).trimEnd().split('\n');
      expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ level: 'error', left: 1 });
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('ends though its log goes to a full disk', async ({ expect }) => {
    const port = await freePort();
    const log = openSync('/dev/full', 'w');
    const main = fileURLToPath(new URL('../../../sidecar/dist/main.mjs', import.meta.url));
    const child = spawn(process.execPath, [main], {
      env: { STORAGE_API_ADDRESS: `127.0.0.1:${port}`, STORAGE_OPS_ADDRESS: 'off' },
      stdio: ['ignore', log, 'inherit'],
    });
    closeSync(log);
    try {
      const exited = once(child, 'exit');
      const url = `http://127.0.0.1:${port}/openapi.json`;
      await expect.poll(() => fetch(url).then((answer) => answer.status), POLL).toBe(200);
      child.kill('SIGTERM');
      expect(await exited).toEqual([0, null]);
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('accepts and keeps records that arrive after the signal', async () => {
    await using directory = await temporaryDirectory();
    const env = { STORAGE_SQLITE_PATH: directory.path('a.db') };
    await using sidecar = await startSidecar(env);
    await sidecar.storage('up');
    sidecar.signal('SIGTERM');
    await sidecar.log(({ msg }) => msg === 'shutting down');
    for (let i = 0; i < 5; i += 1) {
      expect((await postAudit(sidecar.api, { ...RECORD, event_id: `late-${i}` })).status).toBe(202);
      await sleep(50);
    }
    expect(await sidecar.exited).toEqual({ code: 0, signal: null });

    await using next = await startSidecar(env);
    await next.storage('up');
    const list = (await (await fetch(`${next.api}/v1/audit-events`)).json()) as {
      items: { event_id: string }[];
    };
    const ids = list.items.map(({ event_id }) => event_id).sort();
    expect(ids).toEqual(['late-0', 'late-1', 'late-2', 'late-3', 'late-4']);
  });

  it('refuses a Router that never falls silent from half the grace on, and ends', async () => {
    await using directory = await temporaryDirectory();
    const env = { STORAGE_SQLITE_PATH: directory.path('a.db'), STORAGE_SHUTDOWN_GRACE: '4s' };
    await using sidecar = await startSidecar(env);
    await sidecar.storage('up');
    sidecar.signal('SIGTERM');
    const seen: string[] = [];
    while (sidecar.isRunning) {
      const answer = await postAudit(sidecar.api, RECORD).catch(() => undefined);
      const what =
        answer === undefined ? 'gone' : `${answer.status} ${answer.headers.get('connection')}`;
      if (seen.at(-1) !== what) seen.push(what);
      await sleep(20);
    }
    // It is told to come back, and not cut off, until the end.
    expect(seen.slice(0, 2)).toEqual(['202 keep-alive', '503 close']);
    expect(seen.slice(2).every((what) => what === 'gone')).toBe(true);
    expect(await sidecar.exited).toEqual({ code: 0, signal: null });
  });

  it('answers 503 with Connection: close while it drains, then tells what was left', async () => {
    // Storage that never comes up: what is queued cannot be drained.
    await using sidecar = await startSidecar({
      STORAGE_DRIVER: 'sqlite',
      STORAGE_SHUTDOWN_GRACE: '6s',
    });
    expect((await postAudit(sidecar.api, [RECORD, RECORD, RECORD])).status).toBe(202);
    sidecar.signal('SIGTERM');
    // Each is accepted until a second has passed without one; so leave it alone for longer.
    await sleep(2_000);
    const response = await postAudit(sidecar.api, RECORD);
    expect(response.status).toBe(503);
    expect(response.headers.get('connection')).toBe('close');
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    for (const [body, status] of [
      ['[]', 202],
      ['[{}]', 400],
    ] as const) {
      const other = await postAudit(sidecar.api, JSON.parse(body));
      expect([other.status, other.headers.get('connection')]).toEqual([status, 'close']);
    }
    const list = await fetch(`${sidecar.api}/v1/audit-events`);
    expect([list.status, list.headers.get('connection')]).toEqual([503, 'close']);

    expect(await sidecar.exited).toEqual({ code: 1, signal: null });
    const last = sidecar.logs.at(-1);
    expect(last).toMatchObject({ level: 'error', left: 3 });
  });

  it('takes a signal that comes twice for one, as npm passes Ctrl-C on that the terminal has sent', async () => {
    await using directory = await temporaryDirectory();
    await using sidecar = await startSidecar({ STORAGE_SQLITE_PATH: directory.path('a.db') });
    await sidecar.storage('up');
    expect((await postAudit(sidecar.api, RECORD)).status).toBe(202);
    sidecar.signal('SIGINT');
    await sidecar.log(({ msg }) => msg === 'shutting down');
    sidecar.signal('SIGINT');
    expect(await sidecar.exited).toEqual({ code: 0, signal: null });
    expect(readdirSync(directory.root)).toEqual(['a.db']);
  });

  it('ends at once at another signal a second later', async () => {
    await using sidecar = await startSidecar({
      STORAGE_DRIVER: 'sqlite',
      STORAGE_SHUTDOWN_GRACE: '1h',
    });
    expect((await postAudit(sidecar.api, RECORD)).status).toBe(202);
    sidecar.signal('SIGTERM');
    await sidecar.log(({ msg }) => msg === 'shutting down');
    await sleep(1_100);
    sidecar.signal('SIGTERM');
    expect(await sidecar.exited).toEqual({ code: 1, signal: null });
    expect(sidecar.logs.at(-1)).toMatchObject({ left: 1 });
  });

  it('resolves the answers that wait for their commit', async () => {
    await using directory = await temporaryDirectory();
    await using sidecar = await startSidecar({ STORAGE_SQLITE_PATH: directory.path('a.db') });
    await sidecar.storage('up');
    sidecar.signal('SIGTERM');
    const response = await postAudit(sidecar.api, RECORD, { Prefer: 'wait=30' });
    expect(response.status).toBe(201);
    expect((await sidecar.exited).code).toBe(0);
  });

  it('is complete though the storage was never configured and nothing came', async () => {
    await using sidecar = await startSidecar({ STORAGE_DSN: 'postgres://u:p@db/x' });
    expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
  });
});
