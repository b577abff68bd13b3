import type { ServerDsn, ServerHost, TlsAttempt } from '../../config/server-dsn.ts';
import { StoreError } from '../store-error.ts';
import { endsTheSearch, isAboutTls } from './dial-errors.ts';
import { readTlsFiles, type TlsTarget } from './tls-options.ts';

/** One way to reach a server. */
export interface DialTarget {
  readonly address: ServerHost;
  /** Undefined: in plain text. See `tlsOptions` and `mysqlTls` in tls-options.ts. */
  readonly tls: TlsTarget | undefined;
  /** Milliseconds that connecting to this host may take, greeting and login included. */
  readonly timeoutMs: number;
}

export interface DialOptions {
  /** Tells a driver's error in words that hold no secret. */
  readonly describe: (error: unknown) => StoreError;
  /** Index of the host to begin with, the others follow in a circle; by default the DSN's first. */
  readonly first?: number;
}

/** A host that does not answer must not hold up the others for long. */
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Connects to the first host that will have us, by the first of the DSN's TLS attempts that works.
 *
 * A second attempt at the same host is made only if the first failed because of TLS: the server
 * has none, the handshake failed, or its rules refuse such a connection (libpq's `prefer` and
 * `allow`, Go's `preferred`). Other hosts are tried after any failure but a refused login, as libpq
 * does, and after `connect` threw because the host is read-only and the DSN wants another.
 *
 * @param connect connects and logs in; throws the driver's own error, or a StoreError
 * @throws {StoreError} transient; with several hosts it tells what each said
 */
export async function dial<T>(
  dsn: ServerDsn,
  connect: (target: DialTarget) => Promise<T>,
  options: DialOptions,
): Promise<T> {
  const { describe, first = 0 } = options;
  const failures: StoreError[] = [];
  for (const address of circle(dsn.hosts, first)) {
    try {
      return await dialHost(dsn, address, connect);
    } catch (error) {
      const failure = atHost(dsn, address, error instanceof StoreError ? error : describe(error));
      if (dsn.hosts.length === 1) throw failure;
      failures.push(failure);
      if (endsTheSearch(error)) break;
    }
  }
  const reasons = failures.map(({ reason }) => reason);
  throw new StoreError(reasons.join('; '), { cause: failures.at(-1)?.cause });
}

async function dialHost<T>(
  dsn: ServerDsn,
  address: ServerHost,
  connect: (target: DialTarget) => Promise<T>,
): Promise<T> {
  const timeoutMs = dsn.connectTimeout ?? CONNECT_TIMEOUT_MS;
  const attempts = attemptsAt(address, dsn.tls);
  let first: unknown;
  for (const attempt of attempts) {
    try {
      const tls = attempt.tls ? await readTlsFiles(attempt, address) : undefined;
      return await connect({ address, tls, timeoutMs });
    } catch (error) {
      if (!isAboutTls(error)) throw error;
      // The first says why TLS, or the lack of it, was no good; the second only that neither is.
      first ??= error;
    }
  }
  throw first;
}

/** A Unix domain socket leaves no machine: libpq, too, ignores sslmode there. */
function attemptsAt(address: ServerHost, attempts: readonly TlsAttempt[]): readonly TlsAttempt[] {
  return 'socket' in address ? [{ tls: false }] : attempts;
}

/** Says of a failure at one of several hosts at which. */
export function atHost(dsn: ServerDsn, address: ServerHost, failure: StoreError): StoreError {
  const { length } = dsn.hosts;
  if (length === 1) return failure;
  const number = dsn.hosts.indexOf(address) + 1;
  return new StoreError(`host ${number} of ${length}: ${failure.reason}`, { cause: failure });
}

/** The DSN may name fewer hosts than it did when the first was chosen. */
function circle(hosts: readonly ServerHost[], first: number): readonly ServerHost[] {
  const at = first < hosts.length ? first : 0;
  return [...hosts.slice(at), ...hosts.slice(0, at)];
}
