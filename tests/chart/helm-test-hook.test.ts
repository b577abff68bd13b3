import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { program } from '../../scripts/tools/program.ts';
import { mustRun } from '../../scripts/tools/run.ts';
import { startSidecar } from '../sidecar/support/sidecar-process.ts';
import { chart } from './support/chart.ts';

/** What the hook's Pod runs, as the chart renders it. */
interface Container {
  command: string[];
  args: string[];
  env: { name: string; value: string }[];
}

let hook: Container;

beforeAll(async () => {
  const version = ['--kube-version', '1.33.0'];
  const args = ['template', 'agenttier', chart, ...version, '-n', 'agents', '-s'];
  const manifest = await mustRun(await program('helm3'), [...args, 'templates/helm-test.yaml']);
  hook = parseAllDocuments(manifest)[0]?.toJS().spec.containers[0];
}, 1_800_000);

it('passes where the sidecar runs the driver that was asked for and its counts add up', async () => {
  const path = join(await directory(), 'agenttier.db');
  await using sidecar = await startSidecar({ STORAGE_DRIVER: 'sqlite', STORAGE_SQLITE_PATH: path });
  await sidecar.storage('up');
  await post(sidecar.api, '[{"action":"create","resource":"sandbox"},{"action":"create"}]');

  const { status, output } = await runHook({ at: sidecar.ops, driver: 'sqlite' });
  expect(output).toMatch(/^127\.0\.0\.1:\d+: driver sqlite, storage up, last write [\d.]+ s ago; /);
  expect(output).toContain(
    '2 received = 1 stored + 0 duplicate + 1 rejected + 0 dropped + 0 queued',
  );
  expect(status).toBe(0);
});

it('passes with storage off, where nothing is ever written', async () => {
  await using sidecar = await startSidecar({ STORAGE_DRIVER: 'none' });
  await post(sidecar.api, '{"action":"create","resource":"sandbox"}');
  const { status, output } = await runHook({ at: sidecar.ops, driver: 'none' });
  expect(output).toContain('driver none, storage noop; 1 received =');
  expect(status).toBe(0);
});

it('fails where another driver runs, naming both', async () => {
  await using sidecar = await startSidecar({ STORAGE_DRIVER: 'none' });
  const { status, output } = await runHook({ at: sidecar.ops, driver: 'sqlite', seconds: 0 });
  expect(output).toContain('the driver is none, and sqlite was asked for');
  expect(output).toContain('storage is noop, not up');
  expect(status).toBe(1);
});

it('fails where storage is down, with the reason', async () => {
  await using sidecar = await startSidecar({ STORAGE_DRIVER: 'sqlite' });
  const { reason } = await sidecar.storage('down');
  const { status, output } = await runHook({ at: sidecar.ops, driver: 'sqlite', seconds: 0 });
  expect(output).toContain(`storage is down, not up: ${reason}`);
  expect(status).toBe(1);
});

it('waits for storage that comes up late', async () => {
  const inTheWay = join(await directory(), 'in-the-way');
  await writeFile(inTheWay, '');
  await using sidecar = await startSidecar({
    STORAGE_DRIVER: 'sqlite',
    STORAGE_SQLITE_PATH: join(inTheWay, 'agenttier.db'),
  });
  await sidecar.storage('down');
  const result = runHook({ at: sidecar.ops, driver: 'sqlite', onRetry: () => rm(inTheWay) });
  const { status, output } = await result;
  expect(output).toMatch(/Trying again[\s\S]*driver sqlite, storage up/);
  expect(status).toBe(0);
});

it('fails where the counts do not add up', async () => {
  await using sidecar = await startSidecar({ STORAGE_DRIVER: 'none' });
  await post(sidecar.api, '{"action":"create","resource":"sandbox"}');
  const forged = await forge(sidecar.ops, /(records_dropped_total\{[^}]*\}) 1/, '$1 0');
  const { status, output } = await runHook({ at: forged, driver: 'none', seconds: 0 });
  expect(output).toContain('the counts do not add up: 1 received = 0 stored');
  expect(status).toBe(1);
});

it('fails where nothing listens, or no Pod has an address', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  const deaf = await runHook({ at: `http://127.0.0.1:${port}`, driver: 'none', seconds: 0 });
  expect(deaf.output).toContain('ECONNREFUSED');
  expect(deaf.status).toBe(1);

  const nobody = await runHook({ at: 'http://nobody.invalid:8086', driver: 'none', seconds: 0 });
  expect(nobody.output).toMatch(/nobody\.invalid: no address \(\w+\)/);
  expect(nobody.status).toBe(1);
});

interface HookOptions {
  at: string;
  driver: string;
  seconds?: number;
  onRetry?: () => Promise<void>;
}

/** Runs the hook's program with the environment of its container, but at another address. */
async function runHook({ at, driver, seconds = 60, onRetry }: HookOptions) {
  const { hostname, port } = new URL(at);
  const env = {
    ...Object.fromEntries(hook.env.map(({ name, value }) => [name, value])),
    TEST_OPS_HOST: hostname,
    TEST_OPS_PORT: port,
    TEST_DRIVER: driver,
    TEST_TIMEOUT_SECONDS: String(seconds),
  };
  expect(hook.command).toEqual(['/usr/local/bin/node']);
  // As the kubelet does with arguments; a `$(NAME)` would have been expanded.
  const args = hook.args.map((arg) => arg.replaceAll('$$', '$'));
  expect(hook.args.join(' ')).not.toMatch(/(?<!\$)\$\(/);
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.on('data', (chunk) => {
    if (String(chunk).includes('Trying again')) void onRetry?.();
  });
  const output = Promise.all([text(child.stdout), text(child.stderr)]);
  const [status] = await once(child, 'close');
  return { status, output: (await output).join('') };
}

/** A server that passes on what another one answers, with one change in it. */
async function forge(ops: string, what: RegExp, by: string): Promise<string> {
  const server = createServer(async (request, response) => {
    const answer = await fetch(`${ops}${request.url}`);
    response.end((await answer.text()).replace(what, by));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function post(api: string, body: string): Promise<void> {
  const headers = { 'content-type': 'application/json', prefer: 'wait' };
  const response = await fetch(`${api}/v1/audit-events`, { method: 'POST', headers, body });
  expect(response.ok).toBe(true);
  await response.text();
}

async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'helm-test-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}
