/**
 * What Postgres' error codes (https://www.postgresql.org/docs/current/errcodes-appendix.html) mean
 * for a store: the class, and what a person can do. The unknown is tried again.
 *
 * Of a server's error only its code and the names of constraint, table and column are told: its
 * message and detail quote values.
 */

import { DatabaseError } from 'pg';
import { isAboutTls } from '../server/dial-errors.ts';
import { StoreError, type StoreErrorClass } from '../store-error.ts';

interface Meaning {
  readonly name: string;
  readonly class?: StoreErrorClass;
  /** A batch of fewer rows may go through. */
  readonly tooLarge?: true;
  readonly hint?: string;
}

/** By SQLSTATE, or by its first two characters where a whole class means one thing. */
const CODES: Readonly<Record<string, Meaning>> = {
  '08': { name: 'connection failure' },
  '0A': { name: 'feature not supported', hint: 'see docs/databases.md for the SQL that is needed' },
  '0A000': {
    name: 'feature not supported',
    hint: 'drop the rule on the table if it has one (CREATE RULE; a trigger does the same), or see docs/databases.md for the SQL that is needed',
  },
  '22': { name: 'the value is refused', class: 'data' },
  '2200H': {
    name: 'a sequence is used up',
    hint: 'raise its MAXVALUE, or make its column BIGINT: ALTER SEQUENCE ... AS BIGINT',
  },
  '23': { name: 'a constraint refuses the record', class: 'data' },
  '23505': {
    name: 'a unique index refuses the row',
    class: 'data',
    hint: "where it is the id's, set the table's sequence to its highest id: SELECT setval(...)",
  },
  // No record holds a NULL: it comes from a column or trigger that is not ours.
  '23502': {
    name: 'a column must not be NULL',
    hint: 'give it a DEFAULT, or mend the trigger that sets it',
  },
  '25P03': { name: 'the transaction was idle for too long' },
  '25P04': {
    name: 'the transaction took too long',
    tooLarge: true,
    hint: "raise the role's transaction_timeout",
  },
  '25006': {
    name: 'the server is read-only',
    hint: 'point the DSN at the primary, or list all hosts in it with target_session_attrs=read-write',
  },
  '28': { name: 'login refused', hint: 'check user, password and pg_hba.conf' },
  '28P01': { name: 'wrong user or password', hint: 'correct the Secret; it is read again' },
  '3D000': { name: 'the database does not exist', hint: 'create it, or correct the DSN' },
  '3F000': {
    name: 'the schema does not exist',
    hint: 'create it, or correct search_path in the DSN',
  },
  '40001': { name: 'serialisation failure' },
  '40P01': { name: 'deadlock' },
  '42501': {
    name: 'insufficient privilege',
    hint: "grant the sidecar's role USAGE on the schema, SELECT and INSERT on the tables, USAGE on their sequences",
  },
  '42P01': { name: 'a table is missing' },
  '42703': { name: 'a column is missing', hint: 'see docs/databases.md for the tables' },
  '42P10': {
    name: 'event_id has no unique index',
    hint: 'see docs/databases.md for the tables',
  },
  '53': { name: 'the server lacks resources' },
  '53100': { name: 'the disk of the server is full', hint: 'free space or enlarge its volume' },
  '53200': { name: 'the server is out of memory', tooLarge: true },
  '53300': {
    name: 'too many connections',
    hint: 'raise max_connections or use a pooler: a sidecar takes up to four',
  },
  '53400': { name: 'a limit of the server is exceeded', tooLarge: true },
  '54': { name: 'the record exceeds a limit of the server', class: 'data' },
  '55P03': { name: 'a lock was not available' },
  '55000': {
    name: 'something is not in the state that is needed',
    hint: "where the unique constraint on event_id is DEFERRABLE, make it anew without that; else look at the server's log",
  },
  '57014': {
    name: 'the statement was cancelled',
    tooLarge: true,
    hint: "raise the role's statement_timeout if it has one",
  },
  '57P01': { name: 'the server is shutting down' },
  '57P02': { name: 'the server has crashed' },
  '57P03': { name: 'the server is starting up' },
  '57P05': { name: 'the connection was idle for too long' },
  // RAISE without a code of its own, as a trigger's author writes it for one record.
  P0001: { name: 'a trigger refuses the record', class: 'data' },
  '58': { name: 'the server met a system error', hint: "look at the server's log" },
  '58P01': { name: 'the server misses a file', hint: "look at the server's log" },
  F0: { name: 'the server cannot read its configuration' },
  XX: { name: 'internal error of the server', hint: "look at the server's log" },
};

/** Of Node's system calls. */
const SYSTEM_CODES: Readonly<Record<string, Meaning>> = {
  ECONNREFUSED: { name: 'connection refused', hint: 'check that the server runs and its port' },
  ECONNRESET: { name: 'the connection was reset' },
  EPIPE: { name: 'the connection was lost' },
  ETIMEDOUT: { name: 'the connection timed out' },
  EHOSTUNREACH: { name: 'the host cannot be reached', hint: 'check network and policies' },
  ENETUNREACH: { name: 'the network cannot be reached', hint: 'check network and policies' },
  ENOTFOUND: { name: 'the host name is unknown', hint: 'correct the DSN, or check DNS' },
  EAI_AGAIN: { name: 'the host name cannot be looked up now', hint: 'check DNS' },
  ENOENT: { name: 'there is no such socket', hint: 'correct the path in the DSN' },
};

/** What pg says without a code. */
const MESSAGES: readonly (readonly [RegExp, Meaning])[] = [
  [/^timeout expired$/, { name: 'the server did not answer in time' }],
  [/^Connection terminated|not queryable$/, { name: 'the connection was lost' }],
  [/^Received unexpected/, { name: 'the answer is not one of a Postgres server' }],
  [/password must be a/, { name: 'the server asks for a password', hint: 'the DSN holds none' }],
  [/^SASL/, { name: 'the login failed', hint: 'something that is no Postgres may have answered' }],
  [
    /does not support SSL/,
    { name: 'the server has no TLS', hint: 'turn ssl on there, or say sslmode in the DSN' },
  ],
  [/establishing an SSL/, { name: 'the server did not begin TLS' }],
];

/** The statement took longer than this store waits; its connection is given up. */
export class TimeoutError extends Error {
  override readonly name = 'TimeoutError';
  constructor(seconds: number) {
    super(`no answer within ${seconds} s`);
  }
}

/** The statement is committed on the server, but perhaps on no standby that it has to wait for. */
export class UnreplicatedError extends Error {
  override readonly name = 'UnreplicatedError';
  constructor() {
    super('the wait for the synchronous standby was cancelled');
  }
}

/** What came over the connection is not what a Postgres says. */
export class GarbledError extends Error {
  override readonly name = 'GarbledError';
  constructor() {
    super('the answer is not one of a Postgres server');
  }
}

/** SQLSTATE of a server's error. */
function sqlState(error: unknown): string | undefined {
  return error instanceof DatabaseError ? error.code : undefined;
}

/** Whether the database refuses a value, as far as the code says. */
export function isRefusal(error: unknown): boolean {
  const code = sqlState(error);
  return code !== undefined && meaningOf(code)?.class === 'data';
}

/** Where an index stands. */
export interface IndexName {
  readonly schema: string;
  readonly name: string;
}

/** The index that refused a row as not unique; undefined for other errors, and where none is named. */
export function refusingIndex(error: unknown): IndexName | undefined {
  if (sqlState(error) !== '23505') return undefined;
  const { schema, constraint } = error as DatabaseError;
  return schema && constraint ? { schema, name: constraint } : undefined;
}

/** Tells that an id, or another value that the database gives a row itself, was given before. */
export function idTaken(doing: string, error: unknown): StoreError {
  return new StoreError(`cannot ${doing}: the next id is taken (${labelOf(error)})`, {
    hint: "set the table's sequence to its highest id: SELECT setval(...)",
  });
}

/**
 * Tells any failure of a Postgres call in words that may be shown.
 *
 * @param doing what was tried, to read after "cannot": `connect to Postgres`
 * @param options.refusable whether a value of a record was at stake, which the server may refuse
 * @param options.grant what to do about a missing right, where that is known better
 */
export function postgresError(
  doing: string,
  thrown: unknown,
  options: { readonly refusable?: boolean; readonly grant?: string } = {},
): StoreError {
  if (thrown instanceof StoreError) return thrown;
  const code = sqlState(thrown);
  if (code === undefined) return clientError(doing, thrown);
  const meaning = meaningOf(code);
  const isData = options.refusable === true && meaning?.class === 'data';
  const hint = isData ? undefined : (code === '42501' && options.grant) || meaning?.hint;
  const what = meaning?.name ?? 'the server refuses';
  return new StoreError(`cannot ${doing}: ${what} (${labelOf(thrown)})`, {
    class: isData ? 'data' : 'transient',
    tooLarge: meaning?.tooLarge === true,
    ...(hint ? { hint } : {}),
  });
}

function clientError(doing: string, thrown: unknown): StoreError {
  if (thrown instanceof TimeoutError || thrown instanceof GarbledError) {
    const tooLarge = thrown instanceof TimeoutError;
    return new StoreError(`cannot ${doing}: ${thrown.message}`, { tooLarge });
  }
  if (thrown instanceof UnreplicatedError) {
    return new StoreError(`cannot ${doing}: ${thrown.message}`, {
      hint: 'bring the standby back, or take it out of synchronous_standby_names',
    });
  }
  const { code, message } = thrown as NodeJS.ErrnoException;
  const meaning =
    (code && SYSTEM_CODES[code]) || MESSAGES.find(([pattern]) => pattern.test(message))?.[1];
  if (meaning !== undefined) {
    const suffix = code ? ` (${code})` : '';
    const hint = meaning.hint === undefined ? {} : { hint: meaning.hint };
    return new StoreError(`cannot ${doing}: ${meaning.name}${suffix}`, hint);
  }
  if (isAboutTls(thrown)) {
    return new StoreError(`cannot ${doing}: TLS failed (${code ?? 'no code'})`, {
      hint: 'check sslmode and sslrootcert in the DSN against the certificate of the server',
    });
  }
  const name = thrown instanceof Error ? thrown.name : typeof thrown;
  return new StoreError(`cannot ${doing}: ${code ?? name}`);
}

function meaningOf(code: string): Meaning | undefined {
  return CODES[code] ?? CODES[code.slice(0, 2)];
}

function labelOf(error: unknown): string {
  const { code, constraint, table, column } = error as DatabaseError;
  const parts = [
    `SQLSTATE ${code}`,
    constraint && `constraint ${constraint}`,
    table && `table ${table}`,
    column && `column ${column}`,
  ];
  return parts.filter(Boolean).join(', ');
}
