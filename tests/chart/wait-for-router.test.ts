import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { program } from '../../scripts/tools/program.ts';
import { mustRun } from '../../scripts/tools/run.ts';
import { chart } from './support/chart.ts';

let command: string[];

beforeAll(async () => {
  const args = ['template', 'agenttier', chart, '--kube-version', '1.28.0', '-s'];
  const manifest = await mustRun(await program('helm3'), [
    ...args,
    'templates/router-deployment.yaml',
  ]);
  const deployment = parseAllDocuments(manifest)[0]?.toJS();
  command = deployment.spec.template.spec.containers[1].lifecycle.preStop.exec.command;
}, 1_800_000);

it('ends soon where no Router is', async () => {
  const hook = waitFor(await freePort(), await freePort());
  expect(await hook.ended).toBe(0);
  // It looks more than once.
  expect(hook.seconds()).toBeGreaterThan(0.7);
});

it('waits for a Router that listens, as long as it may', async () => {
  const router = await listening();
  const hook = waitFor(router.port, await freePort(), 3);
  await sleep(2000);
  expect(hook.isOver()).toBe(false);
  expect(await hook.ended).toBe(0);
  expect(hook.seconds()).toBeLessThan(10);
});

it('waits for the last request of a Router that does not listen any more', async () => {
  const router = await listening();
  const answer = await inFlight(router.port, router.arrived);
  const hook = waitFor(router.port, await freePort());
  router.stop();
  await sleep(3000);
  expect(hook.isOver()).toBe(false);
  answer.end('done');
  expect(await hook.ended).toBe(0);
});

it('waits for a Router that still sends to the sidecar', async () => {
  const sidecar = createTcpServer().listen(0, '127.0.0.1');
  await once(sidecar, 'listening');
  onTestFinished(() => void sidecar.close());
  const { port } = sidecar.address() as AddressInfo;
  const sending = connect(port, '127.0.0.1');
  await once(sending, 'connect');
  const hook = waitFor(await freePort(), port);
  await sleep(3000);
  expect(hook.isOver()).toBe(false);
  sending.destroy();
  expect(await hook.ended).toBe(0);
});

/** Runs the hook's program as it is rendered, with other ports and another time. */
function waitFor(routerPort: number, apiPort: number, seconds = 60) {
  const [node, ...args] = command;
  expect(node).toBe('/usr/local/bin/node');
  expect(args.slice(-3)).toEqual(['8080', '8085', '35']);
  const numbers = [routerPort, apiPort, seconds].map(String);
  const started = performance.now();
  const child = spawn(process.execPath, [...args.slice(0, -3), ...numbers], { stdio: 'inherit' });
  onTestFinished(() => void child.kill('SIGKILL'));
  let over = false;
  const ended = once(child, 'close').then(([status]) => {
    over = true;
    return status;
  });
  return { ended, isOver: () => over, seconds: () => (performance.now() - started) / 1000 };
}

/** A server that tells of each request, and stops listening as Go's Shutdown does: requests go on. */
async function listening() {
  const answers: ((response: ServerResponse) => void)[] = [];
  const server = createServer((_: IncomingMessage, response) => answers.shift()?.(response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    stop: () => server.close(),
    arrived: () => new Promise<ServerResponse>((resolve) => answers.push(resolve)),
  };
}

/** Sends a request, and resolves to its open answer. */
async function inFlight(port: number, arrived: () => Promise<ServerResponse>) {
  const answer = arrived();
  const call = request({ port, host: '127.0.0.1', agent: false }).end();
  call.on('response', (response) => response.resume());
  return answer;
}

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
