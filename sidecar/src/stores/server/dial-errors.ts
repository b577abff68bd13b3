/** What pg and mysql2 say when the server has no TLS or its handshake fails. */
const TLS_MESSAGES: ReadonlySet<string> = new Set([
  'The server does not support SSL connections',
  'There was an error establishing an SSL connection',
  'Client network socket disconnected before secure TLS connection was established',
]);

const TLS_CODES: ReadonlySet<string> = new Set([
  'HANDSHAKE_NO_SSL_SUPPORT',
  'HANDSHAKE_SSL_ERROR',
  'EPROTO',
  // Postgres' host-based rules refuse this connection with, or without, TLS.
  '28000',
  // MySQL's require_secure_transport.
  'ER_SECURE_TRANSPORT_REQUIRED',
]);

/** OpenSSL's names of what is wrong with a certificate, and Node's of a failed handshake. */
export const TLS_CODE =
  /^(?:ERR_SSL_|ERR_TLS_|ERR_OSSL_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_)/;

/** Whether the same host may answer better with TLS turned on, or off. */
export function isAboutTls(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code === 'string' && (TLS_CODES.has(code) || TLS_CODE.test(code))) return true;
  return TLS_MESSAGES.has(error.message);
}

/** MySQL: no right to the database, wrong password, no such database. */
const REFUSED_LOGIN: ReadonlySet<number> = new Set([1044, 1045, 1049, 1698]);

/** A refused login, or a database that is not there: other hosts of the DSN would say the same. */
export function endsTheSearch(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, errno } = error as NodeJS.ErrnoException;
  if (typeof code === 'string' && /^(?:28...|3D000)$/.test(code)) return true;
  return typeof errno === 'number' && REFUSED_LOGIN.has(errno);
}
