import { SqliteError } from './connection.ts';
import { Heap } from './heap.ts';
import type { HostHealth } from './host-health.ts';
import type { SqliteExports } from './sqljs.ts';

export const SQLITE_OK = 0;
const SQLITE_INTERNAL = 2;
const SQLITE_NOMEM = 7;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_MISUSE = 21;

/**
 * One instance of SQLite in WebAssembly and how its failures are told. A trap or an abort inside
 * (out of memory where SQLite cannot cope, an assertion) ends the instance: it is not called again.
 */
export class WasmEngine {
  readonly exports: SqliteExports;
  readonly heap: Heap;
  readonly health: HostHealth;
  #aborted = false;

  constructor(exports: SqliteExports, health: HostHealth) {
    this.exports = exports;
    this.heap = new Heap(exports.memory);
    this.health = health;
  }

  get aborted(): boolean {
    return this.#aborted;
  }

  /** @throws SqliteError when the instance must not be called any more */
  assertUsable(): void {
    if (this.#aborted) {
      throw new SqliteError(
        'the SQLite instance has aborted; open the database anew',
        SQLITE_INTERNAL,
      );
    }
  }

  /** The error for what a call of the instance threw. */
  trapped(thrown: unknown): SqliteError {
    if (thrown instanceof SqliteError) return thrown;
    this.#aborted = true;
    this.health.distrust();
    const what = thrown instanceof Error ? thrown.message : String(thrown);
    const error = new SqliteError(`the SQLite instance aborted: ${what}`, SQLITE_INTERNAL);
    error.cause = thrown;
    return error;
  }

  /** The error for a result code, with SQLite's message and the host's code. */
  failure(code: number, connection: number): SqliteError {
    const { code: hostCode } = this.health;
    this.health.forget();
    let message = `result code ${code}`;
    if (connection !== 0) {
      try {
        message = this.heap.cString(this.exports.sqlite3_errmsg(connection));
      } catch (thrown) {
        return this.trapped(thrown);
      }
    }
    if (hostCode === undefined) return new SqliteError(message, code);
    // SQLite takes a read that fails with EIO for corruption (SQLITE_IOERR_CORRUPTFS). The file may
    // well be sound, and must not be moved aside for a cable.
    if (code === SQLITE_CORRUPT)
      return new SqliteError(`cannot read (${hostCode})`, SQLITE_IOERR, hostCode);
    return new SqliteError(`${message} (${hostCode})`, code, hostCode);
  }

  /** @throws SqliteError SQLITE_NOMEM */
  malloc(bytes: number): number {
    const address = this.exports.malloc(bytes);
    if (address === 0) throw new SqliteError(`no memory for ${bytes} bytes`, SQLITE_NOMEM);
    return address;
  }

  /** Calls with a NUL-terminated copy of a text and room for one pointer. */
  withText<T>(text: string, call: (address: number, out: number) => T): T {
    this.assertUsable();
    const room = Heap.cStringBytes(text);
    try {
      // The pointer first: it has to be aligned.
      const out = this.malloc(room + 4);
      this.heap.setU32(out, 0);
      this.heap.writeCString(text, out + 4);
      const result = call(out + 4, out);
      this.exports.free(out);
      return result;
    } catch (thrown) {
      throw this.trapped(thrown);
    }
  }
}

/** The error for a use of what is closed or finalised. */
export function misuse(what: string): SqliteError {
  return new SqliteError(what, SQLITE_MISUSE);
}
