import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { NODE_FLAGS } from '../../../scripts/node-flags.ts';
import { freePort } from '../support/free-port.ts';
import { postAudit, RECORD } from '../support/post.ts';
import { SidecarProcess, startSidecar } from '../support/sidecar-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const MAIN = fileURLToPath(new URL('../../../sidecar/dist/main.mjs', import.meta.url));

/** Code that runs in the sidecar's own thread before it starts. */
function injected(code: string): string[] {
  return [...NODE_FLAGS, '--import', `data:text/javascript,${encodeURIComponent(code)}`];
}

/** A sidecar whose standard output is the given descriptor, on ports that were free just now. */
async function withStdout(stdout: number | 'pipe', nodeFlags: readonly string[] = NODE_FLAGS) {
  const [api, ops] = [await freePort(), await freePort()];
  const child = spawn(process.execPath, [...nodeFlags, MAIN], {
    env: {
      STORAGE_API_ADDRESS: `127.0.0.1:${api}`,
      STORAGE_OPS_ADDRESS: `127.0.0.1:${ops}`,
    },
    stdio: ['ignore', stdout, 'ignore'],
  });
  if (stdout === 'pipe') child.stdout?.destroy();
  const sidecar = new SidecarProcess(child);
  sidecar.api = `http://127.0.0.1:${api}`;
  sidecar.ops = `http://127.0.0.1:${ops}`;
  for (let attempt = 0; attempt < 500; attempt += 1) {
    if (await sidecar.readiness().catch(() => undefined)) return sidecar;
    await sleep(20);
  }
  throw new Error('the sidecar does not answer');
}

describe.concurrent('the sidecar survives', () => {
  it('exceptions and rejections that nobody handles: logged, counted, without their text', async () => {
    const code = `
      setTimeout(() => { throw new TypeError('hunter2') }, 100);
      for (let i = 0; i < 50; i += 1) setTimeout(() => Promise.reject(new RangeError('hunter2')), 150);
    `;
    await using sidecar = await startSidecar({}, { nodeFlags: injected(code) });
    const first = await sidecar.log(({ kind }) => kind === 'exception');
    expect(first).toMatchObject({ level: 'error', name: 'TypeError' });
    await sidecar.log(({ kind }) => kind === 'rejection');
    const name = 'agenttier_storage_unhandled_errors_total';
    while (((await sidecar.metrics()).get(name) ?? 0) < 51) await sleep(20);
    expect((await postAudit(sidecar.api, RECORD)).status).toBe(202);
    // A storm is one line.
    expect(sidecar.logs.filter(({ kind }) => kind === 'rejection')).toHaveLength(1);
    expect(JSON.stringify(sidecar.logs.map(({ frames: _, ...line }) => line))).not.toContain(
      'hunter2',
    );
    expect((await sidecar.stop()).code).toBe(0);
  });

  it('a reader of its log that has gone away', async () => {
    await using sidecar = await withStdout('pipe');
    for (let i = 0; i < 20; i += 1) {
      expect((await postAudit(sidecar.api, RECORD)).status).toBe(202);
    }
    expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
  });

  it('a reader of its log that never reads: requests go on, lines are dropped and counted', async () => {
    await using directory = await temporaryDirectory();
    const fifo = directory.path('stdout');
    execFileSync('mkfifo', [fifo]);
    // Both ends are held here, and nobody reads: the kernel's buffer is full after 64 KiB.
    const end = openSync(fifo, 'r+');
    const storm = `
      setTimeout(() => {
        for (let i = 0; i < 90; i += 1) {
          const name = 'Storm' + i;
          const Storm = { [name]: class extends Error {} }[name];
          const error = new Storm('x');
          error.stack = name + '\\n' + ('    at ' + 'f'.repeat(2000) + ' (file:///x.mjs:1:1)\\n').repeat(10);
          process.emit('unhandledRejection', error, Promise.resolve());
        }
      }, 300);
    `;
    try {
      await using sidecar = await withStdout(end, injected(storm));
      const dropped = 'agenttier_storage_log_lines_dropped_total';
      while (((await sidecar.metrics()).get(dropped) ?? 0) === 0) await sleep(20);
      expect((await postAudit(sidecar.api, RECORD)).status).toBe(202);
      expect((await sidecar.stop()).code).toBe(0);
    } finally {
      closeSync(end);
    }
  });

  it('writes whole lines to a file', async () => {
    await using directory = await temporaryDirectory();
    const file = openSync(directory.path('log'), 'w');
    await using sidecar = await withStdout(file);
    closeSync(file);
    expect((await sidecar.stop()).code).toBe(0);
    const lines = readFileSync(directory.path('log'), 'utf8').trim().split('\n');
    const messages = lines.map((line) => (JSON.parse(line) as { msg: string }).msg);
    expect(messages.at(0)).toBe('starting');
    expect(messages.at(-1)).toBe('nothing is left behind, ending');
  });

  it('a disk that hangs: storage is down, and the process still ends within its grace', async () => {
    await using directory = await temporaryDirectory();
    const path = directory.path('a.db');
    const env = { STORAGE_SQLITE_PATH: path, STORAGE_SHUTDOWN_GRACE: '4s' };
    await using before = await startSidecar(env);
    await before.storage('up');
    await before.stop();
    // SQLite looks into a journal that is there; opening this one waits for a writer, for ever.
    execFileSync('mkfifo', [`${path}-journal`]);

    await using sidecar = await startSidecar(env);
    expect((await postAudit(sidecar.api, [RECORD, RECORD])).status).toBe(202);
    for (;;) {
      const { reason } = await sidecar.storage('down');
      if (reason?.startsWith('worker hung for ')) break;
      await sleep(100);
    }
    expect((await fetch(`${sidecar.ops}/healthz`)).status).toBe(200);
    expect(await sidecar.stop()).toEqual({ code: 1, signal: null });
    expect(sidecar.logs.at(-1)).toMatchObject({ level: 'error', left: 2 });
  });

  it('as PID 1 it ends by SIGTERM, though its storage hangs', async ({ annotate }) => {
    const probe = spawn('unshare', ['--pid', '--fork', '--kill-child', 'true'], {
      stdio: 'ignore',
    });
    const [status] = await once(probe, 'exit').catch(() => [1]);
    if (status !== 0) await annotate('no right to make a PID namespace here: run as any PID');
    await using directory = await temporaryDirectory();
    const path = directory.path('a.db');
    execFileSync('mkfifo', [`${path}-journal`]);
    const command = [process.execPath, ...NODE_FLAGS, MAIN];
    const wrapped =
      status === 0 ? ['unshare', '--pid', '--fork', '--kill-child', ...command] : command;
    const child = spawn(wrapped[0] as string, wrapped.slice(1), {
      env: {
        PATH: process.env.PATH,
        STORAGE_API_ADDRESS: '127.0.0.1:0',
        STORAGE_OPS_ADDRESS: '127.0.0.1:0',
        STORAGE_SQLITE_PATH: path,
        STORAGE_SHUTDOWN_GRACE: '3s',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    await using sidecar = new SidecarProcess(child);
    await sidecar.listening(['api', 'ops']);
    const starting = await sidecar.log(({ msg }) => msg === 'starting');
    if (status === 0) expect(starting.pid).toBe(1);
    const inner = status === 0 ? childOf(sidecar.pid) : sidecar.pid;
    process.kill(inner, 'SIGTERM');
    expect((await sidecar.exited).code).toBe(0);
  });
});

function childOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
}
