import type { Arena } from './arena.ts';
import type { Statement } from './connection.ts';
import { Heap } from './heap.ts';
import { misuse, SQLITE_OK, type WasmEngine } from './wasm-engine.ts';

const SQLITE_ROW = 100;
const SQLITE_DONE = 101;
const SQLITE_NULL = 5;

/** Destructors of sqlite3_bind_text: the text stays where it is, or SQLite copies it. */
const SQLITE_STATIC = 0;
const SQLITE_TRANSIENT = -1;

export interface StatementOptions {
  readonly engine: WasmEngine;
  /** Address of the `sqlite3*`. */
  readonly connection: number;
  /** Address of the `sqlite3_stmt*`. */
  readonly address: number;
  /** For texts on their way in. */
  readonly scratch: Arena;
  readonly onFinalize: (statement: WasmStatement) => void;
}

export class WasmStatement implements Statement {
  readonly #engine: WasmEngine;
  readonly #connection: number;
  readonly #scratch: Arena;
  readonly #onFinalize: (statement: WasmStatement) => void;
  /** 0 once finalised. */
  #address: number;

  constructor(options: StatementOptions) {
    this.#engine = options.engine;
    this.#connection = options.connection;
    this.#address = options.address;
    this.#scratch = options.scratch;
    this.#onFinalize = options.onFinalize;
  }

  bindText(parameter: number, value: string): void {
    const { exports, heap } = this.#usable();
    let code: number;
    try {
      const address = this.#scratch.reserve(Heap.cStringBytes(value));
      const bytes = heap.writeCString(value, address);
      code = exports.sqlite3_bind_text(this.#address, parameter, address, bytes, SQLITE_TRANSIENT);
    } catch (thrown) {
      throw this.#engine.trapped(thrown);
    }
    if (code !== SQLITE_OK) throw this.#failure(code);
  }

  bindHeapText(parameter: number, address: number, bytes: number): void {
    const { exports } = this.#usable();
    let code: number;
    try {
      code = exports.sqlite3_bind_text(this.#address, parameter, address, bytes, SQLITE_STATIC);
    } catch (thrown) {
      throw this.#engine.trapped(thrown);
    }
    if (code !== SQLITE_OK) throw this.#failure(code);
  }

  bindDouble(parameter: number, value: number): void {
    const { exports } = this.#usable();
    let code: number;
    try {
      code = exports.sqlite3_bind_double(this.#address, parameter, value);
    } catch (thrown) {
      throw this.#engine.trapped(thrown);
    }
    if (code !== SQLITE_OK) throw this.#failure(code);
  }

  bindNull(parameter: number): void {
    const { exports } = this.#usable();
    let code: number;
    try {
      code = exports.sqlite3_bind_blob(this.#address, parameter, 0, 0, 0);
    } catch (thrown) {
      throw this.#engine.trapped(thrown);
    }
    if (code !== SQLITE_OK) throw this.#failure(code);
  }

  step(): boolean {
    const engine = this.#usable();
    let code: number;
    try {
      code = engine.exports.sqlite3_step(this.#address);
    } catch (thrown) {
      throw engine.trapped(thrown);
    }
    if (code !== SQLITE_ROW && code !== SQLITE_DONE) {
      const failure = this.#failure(code);
      // Reset answers the same code again, and must not leave the statement running.
      this.reset();
      throw failure;
    }
    engine.health.forget();
    return code === SQLITE_ROW;
  }

  run(): void {
    while (this.step());
    this.reset();
  }

  isNull(column: number): boolean {
    const engine = this.#usable();
    try {
      return engine.exports.sqlite3_column_type(this.#address, column) === SQLITE_NULL;
    } catch (thrown) {
      throw engine.trapped(thrown);
    }
  }

  /** The value as text; empty for NULL. Integers of 64 bits come out exactly. */
  text(column: number): string {
    const { exports, heap } = this.#usable();
    try {
      // In this order: the first converts the value, which the length is then of.
      const address = exports.sqlite3_column_text(this.#address, column);
      if (address === 0) return '';
      return heap.text(address, exports.sqlite3_column_bytes(this.#address, column));
    } catch (thrown) {
      throw this.#engine.trapped(thrown);
    }
  }

  double(column: number): number {
    const engine = this.#usable();
    try {
      return engine.exports.sqlite3_column_double(this.#address, column);
    } catch (thrown) {
      throw engine.trapped(thrown);
    }
  }

  reset(): void {
    if (this.#address === 0 || this.#engine.aborted) return;
    try {
      this.#engine.exports.sqlite3_reset(this.#address);
    } catch (thrown) {
      throw this.#engine.trapped(thrown);
    }
  }

  /** May be called twice. */
  finalize(): void {
    const address = this.#address;
    if (address === 0) return;
    this.#address = 0;
    this.#onFinalize(this);
    if (this.#engine.aborted) return;
    try {
      this.#engine.exports.sqlite3_finalize(address);
    } catch (thrown) {
      throw this.#engine.trapped(thrown);
    }
  }

  #usable(): WasmEngine {
    if (this.#address === 0) throw misuse('the statement is finalised');
    this.#engine.assertUsable();
    return this.#engine;
  }

  #failure(code: number): Error {
    return this.#engine.failure(code, this.#connection);
  }
}
