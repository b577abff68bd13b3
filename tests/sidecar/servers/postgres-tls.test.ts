import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseDsn } from '../../../sidecar/src/config/dsn/parse-dsn.ts';
import { Session } from '../../../sidecar/src/stores/postgres/session.ts';
import { StoreError } from '../../../sidecar/src/stores/store-error.ts';
import { giveTo, type KeyPair, makeAuthority } from '../support/certificates.ts';
import { PASSWORD, PostgresServer, SUPERUSER } from '../support/postgres-server.ts';
import { startSidecar } from '../support/sidecar-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let server: PostgresServer;
let withoutTls: PostgresServer;
let ca: string;
let otherCa: string;
let client: KeyPair;

beforeAll(async () => {
  directory = await temporaryDirectory();
  const ours = await makeAuthority(directory.root, 'ours');
  const other = await makeAuthority(directory.root, 'other');
  [ca, otherCa] = [ours.ca, other.ca];
  client = await ours.issue('client', 'DNS:client', 'by_cert');
  server = await PostgresServer.start({
    version: 15,
    hba: [
      'hostssl all by_tls all scram-sha-256',
      'hostnossl all by_tls all reject',
      'hostssl all by_text all reject',
      'hostssl all by_cert all cert',
    ],
  });
  for (const role of ['by_tls', 'by_text', 'by_cert']) await server.createRole(role);
  const files = await giveTo(server.directory, await ours.issue('server', 'DNS:localhost'));
  const trusted = await giveTo(server.directory, { cert: ca, key: client.key }, 'clients');
  await server.set({ ssl: 'on', ssl_cert_file: files.cert, ssl_key_file: files.key });
  await server.set({ ssl_ca_file: trusted.cert });
  await server.reload();
  withoutTls = await PostgresServer.start({ version: 15 });
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await withoutTls?.[Symbol.asyncDispose]();
  await directory?.[Symbol.asyncDispose]();
});

/** Connects, and tells how: `tls`, `plain`, or why not. */
async function outcome(keys: string, to = { at: server, host: 'localhost', user: SUPERUSER }) {
  const dsn = `host=${to.host} port=${to.at.port} user=${to.user} password='${PASSWORD}' dbname=postgres ${keys}`;
  try {
    const session = await Session.connect(parseDsn(dsn, 'postgres'));
    const sql = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()';
    const [[ssl] = []] = await session.query(sql, [], 10_000);
    session.end();
    return ssl === 't' ? 'tls' : 'plain';
  } catch (error) {
    if (error instanceof StoreError) return error.reason;
    throw error;
  }
}

const root = (which: 'ours' | 'other') => `sslrootcert=${which === 'ours' ? ca : otherCa}`;

it.for([
  ['disable', 'plain', 'plain'],
  ['allow', 'plain', 'plain'],
  ['prefer', 'tls', 'plain'],
  ['require', 'tls', /TLS/],
  ['verify-ca', 'tls', /TLS/],
  ['verify-full', 'tls', /TLS/],
] as const)('sslmode=%s: %s where the server has TLS, else %s', async ([mode, on, off]) => {
  const verify = mode.startsWith('verify') ? root('ours') : '';
  expect(await outcome(`sslmode=${mode} ${verify}`)).toBe(on);
  const bare = { at: withoutTls, host: 'localhost', user: SUPERUSER };
  expect(await outcome(`sslmode=${mode} ${verify}`, bare)).toMatch(off);
});

it('verifies the chain in verify-ca, verify-full, and require with an authority', async () => {
  for (const mode of ['verify-ca', 'verify-full', 'require']) {
    expect(await outcome(`sslmode=${mode} ${root('ours')}`)).toBe('tls');
    expect(await outcome(`sslmode=${mode} ${root('other')}`)).toMatch(/TLS|certificate/);
  }
  // Nor does the machine trust this server.
  expect(await outcome('sslmode=verify-full')).toMatch(/TLS|certificate/);
  expect(await outcome('sslrootcert=system')).toMatch(/TLS|certificate/);
  // The second try of prefer is in plain text, whatever was wrong with the first.
  expect(await outcome(`sslmode=prefer ${root('other')}`)).toBe('plain');
});

it.for(['SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS'])(
  'trusts whom the machine trusts, by %s as well',
  async (variable) => {
    const dsn = `host=localhost port=${server.port} user=${SUPERUSER} password='${PASSWORD}' dbname=postgres`;
    await using sidecar = await startSidecar({
      STORAGE_DSN: `${dsn} sslrootcert=system`,
      [variable]: ca,
    });
    await sidecar.storage('up');
  },
);

it('verifies the name of the host in verify-full alone', async () => {
  const byAddress = { at: server, host: '127.0.0.1', user: SUPERUSER };
  expect(await outcome(`sslmode=verify-ca ${root('ours')}`, byAddress)).toBe('tls');
  expect(await outcome(`sslmode=verify-full ${root('ours')}`, byAddress)).toMatch(
    /TLS|certificate/,
  );
});

it("follows the server's rules in allow and prefer by a second try", async () => {
  const byTls = { at: server, host: 'localhost', user: 'by_tls' };
  const byText = { at: server, host: 'localhost', user: 'by_text' };
  expect(await outcome('sslmode=allow', byTls)).toBe('tls');
  expect(await outcome('sslmode=disable', byTls)).toMatch(/login refused/);
  expect(await outcome('sslmode=prefer', byText)).toBe('plain');
  expect(await outcome('sslmode=require', byText)).toMatch(/login refused/);
});

it("logs in by the client's certificate", async () => {
  const byCert = { at: server, host: 'localhost', user: 'by_cert' };
  const keys = `sslmode=verify-full ${root('ours')}`;
  const pair = `sslcert=${client.cert} sslkey=${client.key}`;
  expect(await outcome(`${keys} ${pair}`, byCert)).toBe('tls');
  expect(await outcome(keys, byCert)).not.toBe('tls');
});

it('says which file it cannot read', async () => {
  expect(await outcome('sslmode=require sslrootcert=/no/such')).toContain(
    'the certificate authority (sslrootcert, ssl-ca) cannot be read (ENOENT)',
  );
});
