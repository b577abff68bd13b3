import type { ServerDsn } from '../server-dsn.ts';
import { DsnError } from './dsn-error.ts';
import { pairedHosts, serverHosts } from './hosts.ts';
import { type Settings, sortParameters } from './key-rules.ts';
import type { HostPart, Parts } from './parts.ts';
import { POSTGRES_KEYS } from './postgres-keys.ts';
import { readOptions } from './postgres-options.ts';
import { firstSchema } from './search-path.ts';
import { pairedFiles, SSL_MODES, type SslMode, tlsAttempts } from './ssl-modes.ts';
import { connectSeconds } from './timeouts.ts';

/**
 * Gives a Postgres DSN its meaning: libpq's, with its defaults but for the user, which libpq takes
 * from the operating system, and the host, which is `localhost`.
 *
 * @throws {DsnError}
 */
export function postgresDsn(parts: Parts): ServerDsn {
  const { settings, warnings: found } = sortParameters(
    parts.parameters,
    POSTGRES_KEYS,
    (key) => key,
  );
  const warnings = [...found];
  const hosts = serverHosts(hostParts(parts, settings), { host: 'localhost', port: 5432 });
  const user = one(parts.user || undefined, settings, 'user');
  if (user === undefined) {
    throw new DsnError('names no user; add one: postgres://user@host/database, or user=name');
  }
  return {
    driver: 'postgres',
    hosts,
    user,
    password: one(parts.password, settings, 'password') ?? '',
    database: one(parts.database, settings, 'dbname') ?? user,
    tls: tlsOf(settings),
    connectTimeout: connectSeconds(settings.get('connect_timeout'), 'connect_timeout'),
    applicationName:
      settings.get('application_name') ?? settings.get('fallback_application_name') ?? undefined,
    schema: schemaOf(settings, warnings),
    readWrite: readWrite(settings.get('target_session_attrs')),
    warnings,
  };
}

/** A value that a URL can hold in its own place, or as a parameter. */
function one(own: string | undefined, settings: Settings, key: string): string | undefined {
  const given = settings.get(key) || undefined;
  if (own !== undefined && given !== undefined) {
    throw new DsnError(`gives ${key} twice, before its ? and as a parameter; remove one of them`);
  }
  return own ?? given;
}

function hostParts({ hosts }: Parts, settings: Settings): readonly HostPart[] {
  const host = settings.get('host') || undefined;
  const address = settings.get('hostaddr') || undefined;
  const port = settings.get('port') || undefined;
  if (host !== undefined && address !== undefined) {
    throw new DsnError(
      'gives host and hostaddr; a name that is not looked up cannot be honoured here: remove one of them',
    );
  }
  const named = host ?? address;
  if (hosts.length === 0) return pairedHosts(named, port);
  if (named === undefined && port === undefined) return hosts;
  // `postgres://:5433/db?host=/run/postgresql` gives each once.
  const [only] = hosts;
  if (hosts.length === 1 && only?.host === '' && port === undefined) {
    return pairedHosts(named, only.port);
  }
  if (named === undefined && hosts.every((each) => each.port === undefined)) {
    return pairedHosts(hosts.map((each) => each.host).join(','), port);
  }
  throw new DsnError('gives a host or a port twice, before its ? and as a parameter; remove one');
}

function tlsOf(settings: Settings): ServerDsn['tls'] {
  const root = settings.get('sslrootcert') || undefined;
  const mode = modeOf(settings, root === 'system' ? 'verify-full' : 'prefer');
  if (root === 'system' && mode !== 'verify-full') {
    throw new DsnError(
      'gives sslrootcert=system with a weaker sslmode than verify-full, which libpq refuses too; use sslmode=verify-full',
    );
  }
  const files = {
    ca: root === 'system' ? undefined : root,
    cert: settings.get('sslcert') || undefined,
    key: settings.get('sslkey') || undefined,
  };
  return tlsAttempts(mode, pairedFiles(files, { cert: 'sslcert', key: 'sslkey' }));
}

/** `ssl=true` is a URL's `sslmode=require` in libpq, and what JDBC writes beside a mode. */
function modeOf(settings: Settings, fallback: SslMode): SslMode {
  const text = settings.get('sslmode');
  const mode = text === undefined ? undefined : SSL_MODES.find((known) => known === text);
  if (text !== undefined && mode === undefined) {
    throw new DsnError(`has an sslmode that is none of ${SSL_MODES.join(', ')}`);
  }
  const ssl = settings.get('ssl');
  if (ssl === undefined) return mode ?? fallback;
  if (ssl !== 'true') throw new DsnError('has a value of ssl other than true; use sslmode');
  if (mode === undefined) return fallback === 'verify-full' ? fallback : 'require';
  if (SSL_MODES.indexOf(mode) >= SSL_MODES.indexOf('require')) return mode;
  throw new DsnError('gives ssl=true and an sslmode below require; remove the one not meant');
}

const CHOICES: ReadonlyMap<string, boolean> = new Map([
  ['any', false],
  ['read-write', true],
  ['primary', true],
]);

function readWrite(attributes: string | undefined): boolean {
  const choice = CHOICES.get(attributes ?? 'any');
  if (choice !== undefined) return choice;
  throw new DsnError(
    'has target_session_attrs that is none of any, read-write and primary; records are written, so a server that only reads is of no use',
  );
}

function schemaOf(settings: Settings, warnings: string[]): string | undefined {
  const options = settings.get('options');
  const read = options === undefined ? undefined : readOptions(options);
  if (read?.others) {
    warnings.push('its key options has no effect but for search_path: poolers do not pass it on');
  }
  const path = settings.get('search_path') || read?.searchPath;
  if (path === undefined) return undefined;
  const { schema, more } = firstSchema(path);
  if (more) warnings.push('its search_path names several schemas; the tables are in the first');
  return schema;
}
