/**
 * What the database layer needs of SQLite: the few C functions that sql.js exports, without its
 * JavaScript API. Everything is synchronous and runs in the worker thread.
 */

import type { FileIdentity } from '../files/file-identity.ts';

/** A failure reported by SQLite, with what the host knew of its cause. */
export class SqliteError extends Error {
  override readonly name = 'SqliteError';
  /** Primary result code, https://sqlite.org/rescode.html. */
  readonly code: number;
  /** The host's last error code (`ENOSPC`), when a file call failed since the last success. */
  readonly hostCode: string | undefined;

  constructor(message: string, code: number, hostCode?: string) {
    super(message);
    this.code = code;
    this.hostCode = hostCode;
  }
}

export interface Connection {
  /**
   * False once the host threw below SQLite, a sync failed or the instance aborted: the kernel may
   * have dropped pages that SQLite believes written, so the connection must be closed and opened
   * anew. Set by the engine, never reset. A write that finds no room is none of these.
   */
  readonly sound: boolean;

  /** The open file, which need not be the one that lies at its path now. */
  readonly file: FileIdentity;
  /** Of its WAL; undefined until that is opened, at the first read. */
  readonly log: FileIdentity | undefined;

  /** Runs statements that answer no rows. Throws {@link SqliteError}. */
  exec(sql: string): void;

  /** Rows that the last INSERT, UPDATE or DELETE changed (sqlite3_changes). */
  changes(): number;

  /** Prepares one statement, to be used many times; the connection finalises it at close. */
  prepare(sql: string): Statement;

  /**
   * Copies bytes into the heap and returns the address, for {@link Statement.bindHeapText}. Valid
   * until the next call.
   */
  load(bytes: Uint8Array): number;

  /**
   * Finalises every statement and closes. Throws {@link SqliteError} when SQLite refuses; the
   * files are closed in any case.
   */
  close(): void;
}

/** Parameters count from 1, columns from 0, as in SQLite's C API. */
export interface Statement {
  bindText(parameter: number, value: string): void;
  bindDouble(parameter: number, value: number): void;
  bindNull(parameter: number): void;
  /** Binds text where it lies (SQLITE_STATIC): it must stay there until the reset. */
  bindHeapText(parameter: number, address: number, bytes: number): void;

  /** True when it stands on a row, false at the end. Throws {@link SqliteError}. */
  step(): boolean;
  /** Steps to the end and resets. */
  run(): void;

  isNull(column: number): boolean;
  text(column: number): string;
  double(column: number): number;

  /** Must follow the last step at once: a statement that stands on a row pins the WAL. */
  reset(): void;
  finalize(): void;
}
