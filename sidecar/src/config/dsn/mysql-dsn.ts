import type { ServerDsn } from '../server-dsn.ts';
import { DsnError } from './dsn-error.ts';
import { serverHosts } from './hosts.ts';
import { type Settings, sortParameters } from './key-rules.ts';
import { MYSQL_KEYS } from './mysql-keys.ts';
import type { HostPart, Parts } from './parts.ts';
import { pairedFiles, type SslMode, type TlsFiles, tlsAttempts } from './ssl-modes.ts';
import { connectDuration, connectMilliseconds, connectSeconds } from './timeouts.ts';

/**
 * Gives a MySQL DSN its meaning. A URL or a Go DSN may use the keys of both, and `-`, `_` and
 * capitals are spelling (`ssl-mode`, `sslMode`), but for the connect timeouts, whose units differ.
 *
 * @param form what TLS is where no key speaks of it: none in Go's form, MySQL's `PREFERRED` in a URL
 * @throws {DsnError}
 */
export function mysqlDsn(parts: Parts, form: 'url' | 'go'): ServerDsn {
  const { settings, warnings: found } = sortParameters(parts.parameters, MYSQL_KEYS, spelling);
  const warnings = [...found];
  const { user, database } = parts;
  const hosts = serverHosts(hostParts(parts, settings), { host: 'localhost', port: 3306 });
  if (!user) {
    throw new DsnError('names no user; add one: user:password@tcp(host)/db, mysql://user@host/db');
  }
  if (!database) throw new DsnError('names no database; add one after the /');
  const files = pairedFiles(
    {
      ca: settings.get('ssl-ca') || undefined,
      cert: settings.get('ssl-cert') || undefined,
      key: settings.get('ssl-key') || undefined,
    },
    { cert: 'ssl-cert', key: 'ssl-key' },
  );
  const tls = tlsAttempts(modeOf(settings, files, form), files);
  if (isTrue(settings.get('allowCleartextPasswords'))) {
    if (tls.some((attempt) => !attempt.tls)) {
      throw new DsnError(
        'has allowCleartextPasswords without TLS, which would show the password to the network; add tls=true',
      );
    }
    warnings.push('its key allowCleartextPasswords has no effect: none is sent in clear text');
  }
  return {
    driver: 'mysql',
    hosts,
    user,
    password: parts.password ?? '',
    database,
    tls,
    connectTimeout: timeoutOf(settings),
    applicationName: undefined,
    schema: undefined,
    readWrite: isTrue(settings.get('rejectReadOnly')),
    warnings,
  };
}

const TIMEOUTS = ['connect_timeout', 'connect-timeout', 'connectTimeout'];

function spelling(key: string): string {
  return TIMEOUTS.includes(key) ? key : key.toLowerCase().replace(/[-_]/g, '');
}

function hostParts({ hosts }: Parts, settings: Settings): readonly HostPart[] {
  const socket = settings.get('socket') || undefined;
  if (socket === undefined) return hosts;
  if (!socket.startsWith('/')) throw new DsnError('has a socket that is no absolute path');
  const [only] = hosts;
  if (hosts.length > 1 || (only !== undefined && !['', 'localhost'].includes(only.host))) {
    throw new DsnError('gives a host and a socket; remove the one that is not meant');
  }
  return [{ host: socket, port: undefined }];
}

/** MySQL's names of the modes, Go's `tls`, and MariaDB's; in lower case, with hyphens. */
const MODES: Readonly<Record<string, SslMode>> = {
  disabled: 'disable',
  disable: 'disable',
  preferred: 'prefer',
  prefer: 'prefer',
  required: 'require',
  require: 'require',
  trust: 'require',
  'verify-ca': 'verify-ca',
  'verify-identity': 'verify-full',
  'verify-full': 'verify-full',
};

const GO_TLS: Readonly<Record<string, SslMode>> = {
  true: 'verify-full',
  '1': 'verify-full',
  false: 'disable',
  '0': 'disable',
  'skip-verify': 'require',
  preferred: 'prefer',
};

function modeOf(settings: Settings, { ca }: TlsFiles, form: 'url' | 'go'): SslMode {
  const [mode, tls] = [settings.get('ssl-mode'), settings.get('tls')];
  if (mode !== undefined && tls !== undefined) {
    throw new DsnError('gives both tls and ssl-mode; remove the one that is not meant');
  }
  if (tls !== undefined) return found(GO_TLS, tls, TLS_HINT);
  if (mode !== undefined) return found(MODES, mode.replaceAll('_', '-'), MODE_HINT);
  // As in MySQL's own programs: who gives an authority wants it asked.
  if (ca !== undefined) return 'verify-ca';
  return form === 'go' ? 'disable' : 'prefer';
}

const TLS_HINT =
  'has a tls that is none of true, false, skip-verify and preferred; a name that a Go program registered means nothing here: use tls=true, with ssl-ca for an authority of your own';
const MODE_HINT =
  'has an ssl-mode that is none of DISABLED, PREFERRED, REQUIRED, VERIFY_CA and VERIFY_IDENTITY';

function found(modes: Readonly<Record<string, SslMode>>, text: string, hint: string): SslMode {
  const name = text.toLowerCase();
  const mode = Object.hasOwn(modes, name) ? modes[name] : undefined;
  if (mode === undefined) throw new DsnError(hint);
  return mode;
}

function timeoutOf(settings: Settings): number | undefined {
  return (
    connectDuration(settings.get('timeout'), 'timeout') ??
    connectSeconds(settings.get('connect_timeout'), 'connect_timeout') ??
    connectMilliseconds(settings.get('connectTimeout'), 'connectTimeout')
  );
}

function isTrue(text: string | undefined): boolean {
  return text !== undefined && /^(?:1|t|true|yes|on)$/i.test(text);
}
