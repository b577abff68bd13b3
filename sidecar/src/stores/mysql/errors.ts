/**
 * What MySQL's and MariaDB's error numbers mean for a store: whether trying again may help, and
 * what a person can do. The unknown is tried again. The server's own message is never told, since
 * it holds values of the record at fault.
 */

import { TLS_CODE } from '../server/dial-errors.ts';
import { StoreError, type StoreErrorClass } from '../store-error.ts';

interface ServerError {
  /** In words, after "cannot append: ". */
  readonly what: string;
  readonly hint?: string;
  /** A value of a record is refused; the default is that trying again may help. */
  readonly class?: StoreErrorClass;
  /** A batch of fewer rows may go through. */
  readonly tooLarge?: true;
  /** The connection is as good as before, once the transaction is rolled back. */
  readonly keep?: true;
}

const SPACE = 'free space on the database server or enlarge its volume';
const GRANT =
  'GRANT SELECT, INSERT, UPDATE ON <database>.* to this user, and CREATE, ALTER, INDEX to the one that migrates';
const OTHER_CHANGED = 'it is looked at again when the database is opened anew';

/** The largest BIGINT: AUTO_INCREMENT stops there. */
export const LAST_ID_HINT =
  'where another program used the last id, 9223372036854775807, give that row a lower one, ' +
  'and set AUTO_INCREMENT above the highest that remains';

const refused = (what: string): ServerError => ({ what, class: 'data' });

/**
 * By error number: https://dev.mysql.com/doc/mysql-errors/en/server-error-reference.html,
 * https://mariadb.com/kb/en/mariadb-error-code-reference/ (MariaDB's own are from 1900 to 1999 and
 * from 4000 on).
 */
const SERVER_ERRORS: Readonly<Record<number, ServerError>> = {
  // A value is refused.
  1048: refused('a column must not be NULL'),
  1062: refused('another unique index holds this value'),
  1216: refused('a foreign key refuses the row'),
  1264: refused('a number is out of range'),
  1265: refused('a value does not fit its column'),
  1292: refused('a value does not fit its column'),
  1366: refused('a text does not fit its column'),
  1367: refused('a number does not fit its column'),
  1406: refused('a text is too long for its column'),
  1452: refused('a foreign key refuses the row'),
  1644: refused('a trigger refuses the row'),
  1690: refused('a number is out of range'),
  3819: refused('a CHECK constraint refuses the row'),
  4025: refused('a CHECK constraint refuses the row'),

  // Another transaction is in the way.
  1205: { what: 'another transaction holds a lock for too long', keep: true },
  1213: { what: 'a deadlock was broken up', keep: true },
  1614: { what: 'a deadlock was broken up' },
  3572: { what: 'another transaction holds a lock', keep: true },

  // A limit of time.
  1317: { what: 'the statement was interrupted', tooLarge: true },
  1907: { what: 'the statement took too long', tooLarge: true },
  1969: {
    what: 'the statement took longer than max_statement_time',
    hint: 'raise max_statement_time for this user',
    tooLarge: true,
    keep: true,
  },
  3024: {
    what: 'the statement took longer than max_execution_time',
    tooLarge: true,
    keep: true,
  },

  // The server takes no writes.
  1290: {
    what: 'the server is read-only, or runs with an option that forbids this',
    hint: 'point the DSN at the primary, or name all hosts in it',
  },
  1792: { what: 'the transaction is read-only', hint: 'point the DSN at the primary' },
  1836: { what: 'the server is read-only', hint: 'point the DSN at the primary' },
  1053: { what: 'the server is shutting down' },
  1047: { what: 'the node is not ready for use', hint: 'check the state of the cluster' },
  1927: { what: 'the server ended the connection' },
  4031: { what: 'the server ended the connection, which was idle' },
  3169: { what: 'the server ended the connection' },

  // Room.
  1021: { what: 'the disk of the server is full', hint: SPACE },
  1026: { what: 'the server cannot write a file', hint: SPACE },
  3: { what: 'the server cannot write a file', hint: SPACE },
  1030: { what: 'the storage engine reports an error', hint: `see the server's log; ${SPACE}` },
  1041: { what: 'the server is out of memory', tooLarge: true },
  1037: { what: 'the server is out of memory', tooLarge: true },
  1038: { what: 'the server is out of sort memory', hint: 'raise sort_buffer_size' },
  1114: { what: 'the table is full', hint: SPACE },
  167: { what: 'the table has no id left', hint: LAST_ID_HINT },
  1467: { what: 'the table has no id left', hint: LAST_ID_HINT },
  1153: {
    what: 'a statement is larger than max_allowed_packet',
    tooLarge: true,
    hint: 'raise max_allowed_packet',
  },
  1197: {
    what: 'the transaction is larger than max_binlog_cache_size',
    tooLarge: true,
    hint: 'raise max_binlog_cache_size',
  },
  1180: { what: 'the commit failed', hint: "see the server's log" },
  1206: {
    what: 'the lock table is full',
    tooLarge: true,
    hint: 'raise innodb_buffer_pool_size',
  },
  1461: {
    what: 'the server holds too many prepared statements',
    hint: 'raise max_prepared_stmt_count',
  },
  1637: { what: 'the server runs too many transactions' },

  // Login.
  1040: { what: 'the server has too many connections', hint: 'raise max_connections' },
  1044: { what: 'this user has no right to the database', hint: GRANT },
  1045: { what: 'the server refuses user and password', hint: 'correct the DSN in the Secret' },
  1049: {
    what: 'there is no such database',
    hint: 'CREATE DATABASE, or correct the name in the DSN',
  },
  1129: { what: 'the server has blocked this host', hint: 'run FLUSH HOSTS on the server' },
  1130: { what: 'the server does not admit this host', hint: 'check the host part of the user' },
  1203: {
    what: 'this user has too many connections',
    hint: 'raise max_user_connections; each sidecar uses up to 5',
  },
  1226: { what: 'this user has used up a resource limit', hint: "raise the user's limits" },
  1251: { what: 'the server asks for a login method that is not supported' },
  1524: { what: 'the server asks for a login method that is not loaded' },
  1698: { what: 'the server refuses this user', hint: 'use a user that logs in by a password' },
  1820: { what: "the user's password must be changed", hint: 'ALTER USER ... IDENTIFIED BY' },
  1862: { what: "the user's password has expired", hint: 'ALTER USER ... IDENTIFIED BY' },
  3118: { what: 'the user is locked', hint: 'ALTER USER ... ACCOUNT UNLOCK' },
  4151: { what: 'the user is locked', hint: 'ALTER USER ... ACCOUNT UNLOCK' },
  3159: { what: 'the server asks for TLS', hint: 'turn TLS on in the DSN' },

  // Rights.
  1142: { what: 'the right to do this to a table is missing', hint: GRANT },
  1143: { what: 'the right to do this to a column is missing', hint: GRANT },
  1227: { what: 'the user lacks a privilege', hint: GRANT },
  1370: { what: 'the user lacks a privilege', hint: GRANT },

  // The schema is not what it was when it was looked at.
  1054: { what: 'a column is missing', hint: OTHER_CHANGED },
  1146: { what: 'a table is missing', hint: OTHER_CHANGED },
  1176: { what: 'an index is missing', hint: OTHER_CHANGED },
  1364: {
    what: 'a column that is not ours is NOT NULL and has no default',
    hint: 'give it a default',
  },
  1412: { what: 'a table was changed meanwhile', keep: true },
  1615: { what: 'a table was changed meanwhile' },
  1665: {
    what: 'binlog_format=STATEMENT does not go with this isolation level',
    hint: 'set binlog_format=ROW or MIXED',
  },
};

/** Errors of the way to the server, by `code`. */
const CLIENT_ERRORS: Readonly<Record<string, ServerError>> = {
  ECONNREFUSED: { what: 'nothing listens there', hint: 'check host and port, and that it runs' },
  ECONNRESET: { what: 'the connection was cut' },
  EPIPE: { what: 'the connection was cut' },
  ETIMEDOUT: { what: 'no answer in time', hint: 'check the network between Pod and server' },
  EHOSTUNREACH: { what: 'the host cannot be reached', hint: 'check the network' },
  ENETUNREACH: { what: 'the network cannot be reached', hint: 'check the network' },
  ENOTFOUND: { what: "the host's name is unknown", hint: 'check the host in the DSN, and DNS' },
  EAI_AGAIN: { what: 'DNS does not answer', hint: 'check DNS' },
  ENOENT: { what: 'there is no such Unix socket', hint: 'check its path in the DSN' },
  EACCES: { what: 'the Unix socket does not admit this user' },
  PROTOCOL_CONNECTION_LOST: { what: 'the server closed the connection' },
  HANDSHAKE_NO_SSL_SUPPORT: {
    what: 'the server has no TLS',
    hint: 'turn TLS on in the server, or off in the DSN',
  },
  HANDSHAKE_SSL_ERROR: { what: 'the TLS handshake failed' },
  MYSQL_CLEAR_PASSWORD_NOT_ENABLED: {
    what: 'the server asks for the password in clear text, which is refused',
    hint: 'use a user of another authentication plugin',
  },
  AUTH_SWITCH_PLUGIN_ERROR: {
    what: 'the login failed in its authentication plugin',
    hint: 'use mysql_native_password or caching_sha2_password, and TLS for the latter',
  },
};

/** The server's own number of an error; undefined for those of the way to it. */
export function errorNumber(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errno' in error)) return undefined;
  const { errno } = error;
  return typeof errno === 'number' && errno > 0 ? errno : undefined;
}

/** Whether the connection may be used on, after a rollback. */
export function keepsConnection(error: unknown): boolean {
  const known = SERVER_ERRORS[errorNumber(error) ?? 0];
  return known?.keep === true || known?.class === 'data';
}

export interface Circumstances {
  /** Whether a value of a record was at stake, which the database may refuse. */
  readonly refusable?: boolean;
}

/**
 * Turns whatever a call of the driver threw into an error for the store.
 *
 * @param doing what was tried, to read after "cannot": `append`
 */
export function serverError(
  doing: string,
  thrown: unknown,
  { refusable = false }: Circumstances = {},
): StoreError {
  if (thrown instanceof StoreError) return thrown;
  const number = errorNumber(thrown);
  const { what, hint, tooLarge = false, class: kind = 'transient' } = meaningOf(thrown, number);
  const right = number === 1142 || number === 1143 ? missingRight(thrown) : undefined;
  return new StoreError(`cannot ${doing}: ${right ?? what}${labelOf(thrown, number)}`, {
    class: refusable ? kind : 'transient',
    tooLarge,
    cause: withoutValues(thrown),
    ...(hint === undefined ? {} : { hint }),
  });
}

function meaningOf(thrown: unknown, number: number | undefined): ServerError {
  if (number !== undefined) return SERVER_ERRORS[number] ?? { what: 'the server reports an error' };
  const code = codeOf(thrown);
  if (code === undefined) return { what: 'the connection failed' };
  if (TLS_CODE.test(code)) {
    return {
      what: "the server's certificate or its TLS cannot be trusted",
      hint: 'check the certificate authority and the host name in the DSN',
    };
  }
  return CLIENT_ERRORS[code] ?? { what: 'the connection failed' };
}

function labelOf(thrown: unknown, number: number | undefined): string {
  const code = codeOf(thrown);
  if (number !== undefined) return ` (${code === undefined ? '' : `${code}, `}${number})`;
  if (code !== undefined) return ` (${code})`;
  const name = thrown instanceof Error && /^\w{1,64}$/.test(thrown.name) ? thrown.name : undefined;
  return name === undefined || name === 'Error' ? '' : ` (${name})`;
}

/** `INSERT, UPDATE command denied to user ...`: the commands alone are told. */
function missingRight(thrown: unknown): string | undefined {
  const message = (thrown as { sqlMessage?: unknown }).sqlMessage;
  if (typeof message !== 'string') return undefined;
  const commands = /^([A-Z]+(?: [A-Z]+)?(?:, [A-Z]+(?: [A-Z]+)?)*) command denied/.exec(
    message,
  )?.[1];
  return commands === undefined ? undefined : `the right to ${commands} is missing`;
}

function codeOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown)) return undefined;
  const { code } = thrown;
  return typeof code === 'string' && /^\w{1,64}$/.test(code) ? code : undefined;
}

/** The driver's error holds the statement, and the server's message values of the record. */
function withoutValues(thrown: unknown): Error {
  const code = codeOf(thrown);
  const number = errorNumber(thrown);
  return Object.assign(new Error(code ?? 'error of the driver'), {
    ...(code === undefined ? {} : { code }),
    ...(number === undefined ? {} : { errno: number }),
  });
}
