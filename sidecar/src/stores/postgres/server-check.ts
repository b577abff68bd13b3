/** What of a server's settings and rights is in the way of its promises, looked at when connecting. */

import { KINDS } from '../../records/kinds.ts';
import { StoreError } from '../store-error.ts';
import { type Names, quoteName } from './ddl.ts';
import type { Session } from './session.ts';

const SETTINGS = `
SELECT current_user, current_setting('server_version'), pg_encoding_to_char(encoding),
  current_setting('synchronous_commit'), current_setting('extra_float_digits'),
  current_setting('fsync', true), current_setting('synchronous_standby_names', true),
  current_setting('client_min_messages', true)
FROM pg_database WHERE datname = current_database()`;

/** Values of synchronous_commit with which a standby's disk is not waited for; `off` is told apart. */
const WAITS_FOR_LESS: Readonly<Record<string, string>> = {
  local: 'the standbys in synchronous_standby_names are not waited for',
  remote_write: 'the disks of the standbys in synchronous_standby_names are not waited for',
};

export interface ServerFacts {
  readonly role: string;
  readonly serverVersion: string;
  readonly warnings: readonly string[];
}

/**
 * @returns what works but puts a promise at stake, each with the statement that mends it
 * @throws {StoreError} when texts would be refused
 */
export async function checkServer(session: Session, timeoutMs: number): Promise<ServerFacts> {
  const [row = []] = await session.query(SETTINGS, [], timeoutMs);
  const [role, serverVersion, encoding, synchronousCommit, floatDigits, fsync] = row;
  const [standbys, messages] = row.slice(6);
  if (encoding !== 'UTF8') {
    throw new StoreError(`the database's encoding is ${encoding}, which cannot hold every text`, {
      hint: "create it anew with ENCODING 'UTF8'",
    });
  }
  const alter = `ALTER ROLE ${quoteName(role ?? '')} SET`;
  const warnings: string[] = [];
  if (synchronousCommit === 'off') {
    warnings.push(
      `synchronous_commit is off: what is acknowledged may be lost when the server crashes; ${alter} synchronous_commit = on`,
    );
  }
  const waits = WAITS_FOR_LESS[synchronousCommit ?? ''];
  if (standbys && waits !== undefined) {
    warnings.push(
      `synchronous_commit is ${synchronousCommit}: ${waits}, so a failover may lose what is acknowledged; ${alter} synchronous_commit = on`,
    );
  }
  if (standbys && messages === 'error') {
    warnings.push(
      `client_min_messages is error: a commit whose wait for its standby somebody cancels is acknowledged; ${alter} client_min_messages = warning`,
    );
  }
  if (Number(floatDigits) < 1) {
    warnings.push(
      `extra_float_digits is ${floatDigits}: lists answer rounded numbers; ${alter} extra_float_digits = 1`,
    );
  }
  if (fsync === 'off') {
    warnings.push(
      'fsync is off on the server: a power cut destroys the database; ALTER SYSTEM SET fsync = on',
    );
  }
  return { role: role ?? '', serverVersion: serverVersion ?? '', warnings };
}

const RIGHTS = `
SELECT t.name, has_table_privilege(to_regclass(t.name), 'SELECT'),
  has_table_privilege(to_regclass(t.name), 'INSERT'), s.name,
  has_sequence_privilege(s.name, 'USAGE')
FROM unnest($1::text[]) WITH ORDINALITY t(name, n)
LEFT JOIN LATERAL (SELECT pg_get_serial_sequence(t.name, 'id')) s(name) ON true
ORDER BY t.n`;

/** @throws {StoreError} with the GRANT for each right that is missing */
export async function checkRights(
  session: Session,
  names: Names,
  role: string,
  timeoutMs: number,
): Promise<void> {
  const tables = KINDS.map((kind) => names.table(kind.table));
  const rows = await session.query(RIGHTS, [tables], timeoutMs);
  const to = `TO ${quoteName(role)}`;
  const grants: string[] = [];
  for (const [table, select, insert, sequence, usage] of rows) {
    const missing = [select === 'f' && 'SELECT', insert === 'f' && 'INSERT'].filter(Boolean);
    if (missing.length > 0) grants.push(`GRANT ${missing.join(', ')} ON ${table} ${to}`);
    if (usage === 'f') grants.push(`GRANT USAGE ON SEQUENCE ${sequence} ${to}`);
  }
  if (grants.length === 0) return;
  throw new StoreError(`the role ${role} lacks rights on the tables`, { hint: grants.join('; ') });
}
