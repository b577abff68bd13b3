import { readFile } from 'node:fs/promises';
import { connect, isIP, type Socket } from 'node:net';
import {
  type ConnectionOptions,
  checkServerIdentity,
  getCACertificates,
  setDefaultCACertificates,
} from 'node:tls';
import type { ServerHost, TlsAttempt } from '../../config/server-dsn.ts';
import { StoreError } from '../store-error.ts';

/** A connection that is idle must not be forgotten by what stands between. */
const KEEP_ALIVE_MS = 30_000;

/** A TLS attempt with the files that it names, read. */
export interface TlsTarget {
  readonly verify: 'none' | 'ca' | 'full';
  /** The host's name or address, which the certificate must hold if `verify` is `full`. */
  readonly host: string;
  /** PEM; undefined for those that the process trusts. */
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

/**
 * Reads the certificates that an attempt names.
 *
 * @throws {StoreError} naming the key of the DSN whose file cannot be read
 */
export async function readTlsFiles(
  attempt: TlsAttempt & { readonly tls: true },
  address: ServerHost,
): Promise<TlsTarget> {
  const { verify } = attempt;
  const [ca, cert, key] = await Promise.all([
    readPem(attempt.ca, 'the certificate authority (sslrootcert, ssl-ca)'),
    readPem(attempt.cert, "the client's certificate (sslcert, ssl-cert)"),
    readPem(attempt.key, "the client's key (sslkey, ssl-key)"),
  ]);
  const host = 'host' in address ? address.host : 'localhost';
  if (ca === undefined && verify !== 'none') trustMachine();
  return { verify, host, ca, cert, key };
}

async function readPem(path: string | undefined, what: string): Promise<string | undefined> {
  if (path === undefined) return undefined;
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new StoreError(`the file of ${what} cannot be read (${code})`, {
      hint: 'mount it into the container, or correct its path in the DSN',
    });
  }
  if (!text.includes('-----BEGIN ')) {
    throw new StoreError(`the file of ${what} holds no PEM block`);
  }
  return text;
}

let trustsMachine = false;

/**
 * Has the process trust the machine's own list beside the one that Node carries: an image may have none.
 * Once, for all connections: to give each one these hundreds of certificates holds the thread for 20 ms.
 */
function trustMachine(): void {
  if (trustsMachine) return;
  const all = new Set([...getCACertificates('default'), ...getCACertificates('system')]);
  setDefaultCACertificates([...all]);
  trustsMachine = true;
}

/** What pg's `ssl` and `tls.connect` take. */
export function tlsOptions(target: TlsTarget): ConnectionOptions {
  const { verify, host, ca, cert, key } = target;
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    rejectUnauthorized: verify !== 'none',
    // An address is no server name (RFC 6066, section 3); it is verified nevertheless.
    ...(isIP(host) === 0 ? { servername: host } : {}),
    checkServerIdentity: (_name, certificate) =>
      verify === 'full' ? checkServerIdentity(host, certificate) : undefined,
  };
}

/** What mysql2's `ssl` takes; its `stream` must then be {@link mysqlStream}'s. */
export function mysqlTls({ verify, ca, cert, key }: TlsTarget) {
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    rejectUnauthorized: verify !== 'none',
    verifyIdentity: verify === 'full',
  };
}

/**
 * Connects the socket that mysql2 is given as its `stream` (with `host` and `port` set beside it).
 * mysql2 verifies a host's name by itself; but the certificate of an address it would hold against
 * `localhost`, as tls.connect does where it finds no name in its options or its socket.
 */
export function mysqlStream(address: ServerHost): Socket {
  const socket =
    'socket' in address ? connect(address.socket) : connect(address.port, address.host);
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  if ('host' in address && isIP(address.host) !== 0) {
    Object.assign(socket, { _host: address.host });
  }
  return socket;
}
