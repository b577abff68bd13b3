import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { startSidecar } from '../support/sidecar-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const CANARY = 'QXZcanary7391';

/** A server that answers every byte with random ones. */
async function garbageServer() {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.write(randomBytes(64));
    socket.on('data', () => socket.write(randomBytes(256)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.dispose]: () => server.close(),
  };
}

const FORMS: Readonly<Record<string, (port: number) => string>> = {
  'a Postgres URL': (port) => `postgres://u:${CANARY}@127.0.0.1:${port}/d?pool_max_conns=1`,
  keywords: (port) => `host=127.0.0.1 port=${port} user=u password='${CANARY}' dbname=d`,
  'a MySQL URL': (port) => `mysql://u:${CANARY}@127.0.0.1:${port}/d`,
  "Go's form": (port) => `u:${CANARY}@tcp(127.0.0.1:${port})/d?parseTime=true`,
  'a broken URL': () => `postgres://u:${CANARY}/x@db/d`,
  'broken keywords': () => `host=db user=u password=x ${CANARY}`,
  "a broken Go's form": () => `u:${CANARY}@tcp(db/d`,
};

it.concurrent.for(Object.keys(FORMS))(
  'no log line, metric or answer of a sidecar holds the password of %s',
  async (form) => {
    using garbage = await garbageServer();
    await using directory = await temporaryDirectory();
    for (const port of [await freePort(), garbage.port]) {
      const dsn = FORMS[form]?.(port) ?? '';
      const file = directory.path('dsn');
      writeFileSync(file, `${dsn}\n`);
      for (const env of [{ STORAGE_DSN: dsn }, { STORAGE_DSN_FILE: file }]) {
        await using sidecar = await startSidecar({ ...env, STORAGE_LOG_LEVEL: 'trace' });
        await sidecar.log(({ msg }) => msg === 'storage is down');
        const record = { actor: 'ana', action: 'create', resource: 'sandbox' };
        const posted = await fetch(`${sidecar.api}/v1/audit-events`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(record),
        });
        expect(posted.status).toBe(202);
        const urls = [`${sidecar.api}/v1/audit-events`, `${sidecar.ops}/readyz`];
        const answers = [...urls, `${sidecar.ops}/metrics`].map(async (url) =>
          (await fetch(url)).text(),
        );
        const told = [...(await Promise.all(answers)), await posted.text()].join('\n');
        expect(told).toContain('"storage":"down"');
        await sidecar.kill();
        expect(told + JSON.stringify(sidecar.logs) + sidecar.stray).not.toContain(CANARY);
      }
    }
  },
);

it('a DSN that comes late by its file is found, whichever driver it is for', async () => {
  await using directory = await temporaryDirectory();
  const file = directory.path('dsn');
  await using sidecar = await startSidecar({ STORAGE_DSN_FILE: file });
  const missing = await sidecar.storage('down');
  expect(missing.driver).toBe('unknown');
  await sidecar.log(({ reason }) => String(reason).includes('cannot be read (ENOENT)'));
  writeFileSync(file, `postgres://u:${CANARY}@127.0.0.1:${await freePort()}/d\n`);
  await sidecar.log(({ reason }) => String(reason).includes('connection refused'), 30_000);
  expect((await sidecar.readiness()).driver).toBe('postgres');
});
