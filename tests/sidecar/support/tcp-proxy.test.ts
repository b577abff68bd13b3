import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { type TcpProxy, tcpProxy } from './tcp-proxy.ts';

/** A server that answers `did:` and what it got, and remembers it. */
async function echo() {
  const got: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (data) => {
      got.push(data.toString());
      socket.write(`did:${data}`);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    got,
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

async function client(proxy: TcpProxy) {
  const socket = connect(proxy.port, proxy.host);
  const seen = { text: '', code: '', ended: false };
  socket.on('data', (data) => {
    seen.text += data.toString('latin1');
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    seen.code = error.code ?? '';
  });
  socket.on('close', () => {
    seen.ended = true;
  });
  await Promise.race([once(socket, 'connect'), once(socket, 'close')]).catch(() => {});
  return { socket, seen };
}

const until = (check: () => boolean) => expect.poll(check, { timeout: 10_000 }).toBe(true);

it('forwards, delays, stalls and goes on', async () => {
  await using server = await echo();
  await using proxy = await tcpProxy(server);
  const { socket, seen } = await client(proxy);
  socket.write('a');
  await until(() => seen.text === 'did:a');
  expect(proxy.forwarded).toEqual({ up: 1, down: 5 });

  proxy.delayMs = 50;
  const before = Date.now();
  socket.write('b');
  await until(() => seen.text === 'did:adid:b');
  expect(Date.now() - before).toBeGreaterThanOrEqual(90);
  proxy.delayMs = 0;

  proxy.mode = 'stall-answers';
  socket.write('c');
  await until(() => server.got.includes('c'));
  proxy.mode = 'stall';
  socket.write('d');
  await sleep(50);
  expect(server.got).not.toContain('d');
  expect(seen.text).toBe('did:adid:b');
  proxy.mode = 'pass';
  await until(() => seen.text === 'did:adid:bdid:cdid:d');
});

it('refuses and accepts at the same port', async () => {
  await using server = await echo();
  await using proxy = await tcpProxy(server);
  const { port } = proxy;
  const { seen } = await client(proxy);
  await proxy.refuse();
  await until(() => seen.ended);
  const refused = await client(proxy);
  await until(() => refused.seen.code === 'ECONNREFUSED');
  await proxy.accept();
  expect(proxy.port).toBe(port);
  const { socket, seen: again } = await client(proxy);
  socket.write('x');
  await until(() => again.text === 'did:x');
});

it('cuts after so many bytes, in either direction, and once', async () => {
  await using server = await echo();
  await using proxy = await tcpProxy(server);
  for (const how of ['reset', 'end'] as const) {
    const { socket, seen } = await client(proxy);
    const cut = proxy.cutAfter('down', 6, how);
    socket.write('abcdef');
    await cut;
    await until(() => seen.ended);
    if (how === 'end') expect(seen).toMatchObject({ text: 'did:ab', code: '' });
    else expect(seen.code).toBe('ECONNRESET');
  }
  const { socket } = await client(proxy);
  const cut = proxy.cutAfter('up', 3);
  socket.write('uvwxyz');
  await cut;
  await until(() => server.got.includes('uvw'));
  const { socket: whole, seen } = await client(proxy);
  whole.write('whole');
  await until(() => seen.text === 'did:whole');
});

it('swallows the answer to a request that was done', async () => {
  await using server = await echo();
  await using proxy = await tcpProxy(server);
  const { socket, seen } = await client(proxy);
  const cut = proxy.cutAnswerTo('COMMIT');
  socket.write('first');
  await until(() => seen.text === 'did:first');
  socket.write('COMMIT');
  await cut;
  await until(() => seen.ended);
  expect(seen).toMatchObject({ text: 'did:first', code: 'ECONNRESET' });
  expect(server.got).toEqual(['first', 'COMMIT']);
});

it('answers garbage, and the server hears nothing', async () => {
  await using server = await echo();
  await using proxy = await tcpProxy(server);
  proxy.mode = 'garbage';
  const { socket, seen } = await client(proxy);
  socket.write('hello');
  await until(() => seen.text.length === 512);
  expect(server.got).toEqual([]);
  socket.destroy();
});
