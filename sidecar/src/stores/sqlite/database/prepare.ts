import { type Connection, SqliteError, type Statement } from '../engine/connection.ts';
import { DatabaseError } from './database-error.ts';
import { SQLITE_ERROR } from './result-codes.ts';

/**
 * Prepares a statement on tables of ours that other programs may have added to. What they added is
 * compiled along with it: a trigger, a generated column, a CHECK. No record's value is at stake here,
 * so SQLite's own message may be told, which names what is missing.
 *
 * @param doing what the statement is for, to read after "cannot": `write to audit_events`
 * @throws DatabaseError when SQLite cannot compile it; else what the connection throws
 */
export function prepare(connection: Connection, sql: string, doing: string): Statement {
  try {
    return connection.prepare(sql);
  } catch (error) {
    if (!(error instanceof SqliteError) || error.code !== SQLITE_ERROR) throw error;
    throw new DatabaseError(`cannot ${doing}: ${error.message}`, {
      cause: error,
      hint: 'a trigger, column or constraint that another program added is in the way: drop it',
    });
  }
}
