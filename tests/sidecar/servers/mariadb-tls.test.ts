import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseDsn } from '../../../sidecar/src/config/dsn/parse-dsn.ts';
import { serverError } from '../../../sidecar/src/stores/mysql/errors.ts';
import { Session } from '../../../sidecar/src/stores/mysql/session.ts';
import { type DialTarget, dial } from '../../../sidecar/src/stores/server/dial.ts';
import { StoreError } from '../../../sidecar/src/stores/store-error.ts';
import { giveTo, makeAuthority } from '../support/certificates.ts';
import { type MariadbServer, startMariadb } from '../support/mariadb-server.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let authority: Awaited<ReturnType<typeof makeAuthority>>;
let server: MariadbServer;
let otherCa: string;

beforeAll(async () => {
  directory = await temporaryDirectory();
  authority = await makeAuthority(directory.root, 'ours');
  otherCa = (await makeAuthority(directory.root, 'other')).ca;
  server = await startMariadb();
  await server.sql("CREATE USER me IDENTIFIED BY 'pw'; GRANT ALL ON *.* TO me");
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await directory?.[Symbol.asyncDispose]();
});

/** Starts the server anew with a certificate for these names. */
async function serveAs(names: string): Promise<void> {
  await server.stop();
  const { cert, key } = await giveTo(server.directory, await authority.issue('server', names));
  server.args = [`--ssl-cert=${cert}`, `--ssl-key=${key}`];
  await server.start();
}

/** Connects, and tells how: `tls`, `plain`, or why not. */
async function outcome(query: string, host = 'localhost'): Promise<string> {
  const dsn = parseDsn(`me:pw@tcp(${host}:${server.port})/mysql?${query}`, 'mysql');
  try {
    const connect = async (target: DialTarget) => {
      const made = new Session(target, dsn);
      await made.login();
      return made;
    };
    const describe = (error: unknown) => serverError('connect', error);
    const session = await dial(dsn, connect, { describe });
    const { rows } = await session.execute("SHOW STATUS LIKE 'Ssl_cipher'");
    await session.end();
    return rows[0]?.[1] === '' ? 'plain' : 'tls';
  } catch (error) {
    if (error instanceof StoreError) return error.reason;
    throw error;
  }
}

it('has the modes of Go and of MySQL, and verifies chain and name', async () => {
  await serveAs('DNS:localhost');
  const ca = `ssl-ca=${encodeURIComponent(authority.ca)}`;
  const other = `ssl-ca=${encodeURIComponent(otherCa)}`;
  for (const query of ['', 'tls=false', 'ssl-mode=DISABLED']) {
    expect(await outcome(query)).toBe('plain');
  }
  for (const query of ['tls=skip-verify', 'tls=preferred', 'ssl-mode=REQUIRED']) {
    expect(await outcome(query)).toBe('tls');
  }
  for (const mode of ['tls=true', 'ssl-mode=VERIFY_CA', 'ssl-mode=VERIFY_IDENTITY']) {
    expect(await outcome(`${mode}&${ca}`)).toBe('tls');
    expect(await outcome(`${mode}&${other}`)).not.toMatch(/^(tls|plain)$/);
    expect(await outcome(mode)).not.toMatch(/^(tls|plain)$/);
  }
  expect(await outcome(`ssl-mode=VERIFY_CA&${ca}`, '127.0.0.1')).toBe('tls');
  // The certificate is for localhost, which is another name for this address, and not this one.
  expect(await outcome(`tls=true&${ca}`, '127.0.0.1')).not.toMatch(/^(tls|plain)$/);
});

it('verifies an address as the certificate has it', async () => {
  await serveAs('IP:127.0.0.1');
  const ca = `ssl-ca=${encodeURIComponent(authority.ca)}`;
  expect(await outcome(`tls=true&${ca}`, '127.0.0.1')).toBe('tls');
  expect(await outcome(`tls=true&${ca}`, 'localhost')).not.toMatch(/^(tls|plain)$/);
});

it('falls back to plain text in preferred alone, where the server has no TLS', async () => {
  await server.stop();
  server.args = ['--skip-ssl'];
  await server.start();
  expect(await outcome('tls=preferred')).toBe('plain');
  expect(await outcome('tls=skip-verify')).not.toMatch(/^(tls|plain)$/);
});
