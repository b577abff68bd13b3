import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { occupyPort } from '../support/free-port.ts';
import { postAudit, RECORD } from '../support/post.ts';
import { spawnSidecar, startSidecar } from '../support/sidecar-process.ts';

/** Whether anything accepts a connection there. */
function accepts(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname.replace(/[[\]]/g, ''));
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}

describe.concurrent('the listeners', () => {
  it('names a port in use, keeps trying, and listens once it is free', async () => {
    const { port, server } = await occupyPort('127.0.0.1');
    await using sidecar = spawnSidecar({ STORAGE_API_ADDRESS: `127.0.0.1:${port}` });
    await sidecar.listening(['ops']);
    const line = await sidecar.log(({ code }) => code === 'EADDRINUSE');
    expect(line).toMatchObject({ level: 'error', listener: 'api', port });
    expect(line.msg).toContain(`port ${port} is in use`);
    const [warning] = (await sidecar.readiness()).warnings;
    expect(warning).toContain(`port ${port} is in use`);

    server.close();
    await sidecar.listening(['api']);
    expect((await postAudit(sidecar.api, RECORD)).status).toBe(202);
    expect((await sidecar.readiness()).warnings).toEqual([]);
    // One line for all the attempts.
    expect(sidecar.logs.filter(({ code }) => code === 'EADDRINUSE')).toHaveLength(1);
  });

  it('serves the API while the port for health and metrics is in use', async () => {
    const { port, server } = await occupyPort('127.0.0.1');
    await using sidecar = spawnSidecar({ STORAGE_OPS_ADDRESS: `127.0.0.1:${port}` });
    await sidecar.listening(['api']);
    expect((await postAudit(sidecar.api, RECORD)).status).toBe(202);
    server.close();
    await sidecar.listening(['ops']);
  });

  it.for([
    ['0.0.0.0:0', 'is not a loopback address'],
    [':0', 'is not a loopback address'],
    ['192.0.2.1:8085', 'is not a loopback address'],
    ['somewhere', 'is not an address'],
  ])('does not serve the API on %s, and says so', async ([address, why]) => {
    await using sidecar = spawnSidecar({ STORAGE_API_ADDRESS: address as string });
    await sidecar.listening(['ops']);
    const { storage, warnings } = await sidecar.readiness();
    expect(storage).toBe('noop');
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('STORAGE_API_ADDRESS');
    expect(warnings[0]).toContain(why);
    await sidecar.log(({ level, msg }) => level === 'error' && msg === warnings[0]);
    expect(sidecar.api).toBe('');
    expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
  });

  it('runs on with no listener at all, and ends by a signal', async () => {
    await using sidecar = spawnSidecar({
      STORAGE_API_ADDRESS: 'nowhere',
      STORAGE_OPS_ADDRESS: 'nowhere',
    });
    await sidecar.log(({ msg }) => msg.includes('STORAGE_OPS_ADDRESS'));
    await sleep(200);
    expect(sidecar.isRunning).toBe(true);
    expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
  });

  it('has no health and metrics when they are off', async () => {
    await using sidecar = await startSidecar({ STORAGE_OPS_ADDRESS: 'off' });
    expect(sidecar.ops).toBe('');
    expect((await fetch(`${sidecar.api}/healthz`)).status).toBe(404);
  });

  it('serves health and metrics on IPv4 and, where there is one, IPv6', async () => {
    await using sidecar = await startSidecar({ STORAGE_OPS_ADDRESS: ':0' });
    const { port } = new URL(sidecar.ops);
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
    if (await accepts(`http://[::1]:${port}`)) {
      expect((await fetch(`http://[::1]:${port}/healthz`)).status).toBe(200);
    }
  });

  it('answers health before storage is up, and however long that takes', async () => {
    await using sidecar = await startSidecar({ STORAGE_DRIVER: 'sqlite' });
    expect((await fetch(`${sidecar.ops}/healthz`)).status).toBe(200);
    expect((await fetch(`${sidecar.ops}/readyz`)).status).toBe(200);
    const { storage, driver, reason } = await sidecar.storage('down');
    expect({ storage, driver }).toEqual({ storage: 'down', driver: 'sqlite' });
    expect(reason).toContain('STORAGE_SQLITE_PATH');
  });
});
