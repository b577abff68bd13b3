import type { TlsAttempt } from '../server-dsn.ts';
import { DsnError } from './dsn-error.ts';

/** libpq's modes; MySQL's and Go's are spellings of these. */
export type SslMode = 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';

export const SSL_MODES: readonly SslMode[] = [
  'disable',
  'allow',
  'prefer',
  'require',
  'verify-ca',
  'verify-full',
];

/** The paths that a DSN gives. */
export interface TlsFiles {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

/**
 * The attempts that a mode stands for. A root certificate turns mere encryption into `verify-ca`,
 * as in libpq: https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION.
 */
export function tlsAttempts(mode: SslMode, { ca, cert, key }: TlsFiles): readonly TlsAttempt[] {
  const plain: TlsAttempt = { tls: false };
  const unless = ca === undefined ? 'none' : 'ca';
  const verify = mode === 'verify-full' ? 'full' : mode === 'verify-ca' ? 'ca' : unless;
  const encrypted: TlsAttempt = { tls: true, verify, ca, cert, key };
  switch (mode) {
    case 'disable':
      return [plain];
    case 'allow':
      return [plain, encrypted];
    case 'prefer':
      return [encrypted, plain];
    default:
      return [encrypted];
  }
}

/** @throws {DsnError} naming the keys as the driver calls them */
export function pairedFiles(
  files: TlsFiles,
  names: { readonly cert: string; readonly key: string },
): TlsFiles {
  const { cert, key } = files;
  if ((cert === undefined) !== (key === undefined)) {
    const [given, missing] = cert === undefined ? [names.key, names.cert] : [names.cert, names.key];
    throw new DsnError(`gives ${given} without ${missing}; give both, or neither`);
  }
  return files;
}
