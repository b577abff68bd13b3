/** Opens SQLite databases: sql.js's WebAssembly on the files of a {@link FileLayer}. */

import { dirname, isAbsolute } from 'node:path';
import type { FileIdentity } from '../files/file-identity.ts';
import type { FileLayer } from '../files/file-layer.ts';
import { Arena } from './arena.ts';
import type { Connection, Statement } from './connection.ts';
import { HostHealth } from './host-health.ts';
import { OpenFiles } from './open-files.ts';
import { instantiate, loadSqlJs, type SqlJs } from './sqljs.ts';
import { misuse, SQLITE_OK, WasmEngine } from './wasm-engine.ts';
import { hostImports } from './wasm-host.ts';
import { WasmStatement } from './wasm-statement.ts';

export { SQLITE_VERSION } from './sqljs.ts';

export interface OpenConnectionOptions {
  /** Absolute, in a directory that exists, without symbolic links in it (`realpath`). */
  readonly path: string;
  readonly files: FileLayer;
  /**
   * Called before anything changes on the disk: a write, truncation, sync, deletion, or a file
   * created. What it throws forbids the change and makes the connection unsound; a `code` on it
   * comes back as {@link SqliteError.hostCode}.
   */
  readonly beforeWrite?: (() => void) | undefined;
  /** Where sql.js does not lie where it usually does. */
  readonly sqlJs?: SqlJs;
}

/**
 * Opens a database, which is created when it is missing, in an engine of its own. No pragma is set.
 *
 * @throws SqliteError when SQLite cannot open it, TypeError when the path is relative
 */
export async function openConnection(options: OpenConnectionOptions): Promise<Connection> {
  const { path, files, beforeWrite } = options;
  if (!isAbsolute(path)) throw new TypeError('the path of a database must be absolute');
  const directory = dirname(path);
  const health = new HostHealth();
  const open = new OpenFiles({ files, database: path, directory, health, beforeWrite });
  const exports = await instantiate(options.sqlJs ?? (await loadSqlJs()), (original, memory) =>
    hostImports(original, { directory, open, health, memory }),
  );
  const engine = new WasmEngine(exports, health);
  try {
    const connection = engine.withText(path, (name, out) => {
      const code = exports.sqlite3_open(name, out);
      const address = engine.heap.u32(out);
      if (code === SQLITE_OK) return address;
      const failure = engine.failure(code, address);
      exports.sqlite3_close_v2(address);
      throw failure;
    });
    health.forget();
    return new WasmConnection(engine, open, connection);
  } catch (error) {
    open.closeAll();
    throw error;
  }
}

class WasmConnection implements Connection {
  readonly #engine: WasmEngine;
  readonly #open: OpenFiles;
  readonly #statements = new Set<WasmStatement>();
  readonly #batch: Arena;
  readonly #scratch: Arena;
  /** Address of the `sqlite3*`; 0 once closed. */
  #address: number;

  constructor(engine: WasmEngine, open: OpenFiles, address: number) {
    this.#engine = engine;
    this.#open = open;
    this.#address = address;
    this.#batch = new Arena(engine);
    this.#scratch = new Arena(engine);
  }

  get sound(): boolean {
    return this.#engine.health.sound;
  }

  get file(): FileIdentity {
    this.#usable();
    const file = this.#open.identity('');
    if (file === undefined) throw misuse('the connection has no file');
    return file;
  }

  get log(): FileIdentity | undefined {
    this.#usable();
    return this.#open.identity('-wal');
  }

  exec(sql: string): void {
    const engine = this.#usable();
    const code = engine.withText(sql, (text) =>
      engine.exports.sqlite3_exec(this.#address, text, 0, 0, 0),
    );
    if (code !== SQLITE_OK) throw engine.failure(code, this.#address);
    engine.health.forget();
  }

  changes(): number {
    const engine = this.#usable();
    try {
      return engine.exports.sqlite3_changes(this.#address);
    } catch (thrown) {
      throw engine.trapped(thrown);
    }
  }

  prepare(sql: string): Statement {
    const engine = this.#usable();
    let code = SQLITE_OK;
    const address = engine.withText(sql, (text, out) => {
      code = engine.exports.sqlite3_prepare_v2(this.#address, text, -1, out, 0);
      return engine.heap.u32(out);
    });
    if (code !== SQLITE_OK) throw engine.failure(code, this.#address);
    if (address === 0) throw misuse('there is no statement in the text to prepare');
    engine.health.forget();
    const statement = new WasmStatement({
      engine,
      connection: this.#address,
      address,
      scratch: this.#scratch,
      onFinalize: (finalized) => this.#statements.delete(finalized),
    });
    this.#statements.add(statement);
    return statement;
  }

  load(bytes: Uint8Array): number {
    const engine = this.#usable();
    try {
      const address = this.#batch.reserve(bytes.length);
      engine.heap.bytes.set(bytes, address);
      return address;
    } catch (thrown) {
      throw engine.trapped(thrown);
    }
  }

  /** May be called twice. */
  close(): void {
    const address = this.#address;
    if (address === 0) return;
    this.#address = 0;
    const engine = this.#engine;
    try {
      for (const statement of [...this.#statements]) statement.finalize();
      if (engine.aborted) return;
      const code = engine.exports.sqlite3_close_v2(address);
      if (code !== SQLITE_OK) throw engine.failure(code, 0);
    } catch (thrown) {
      throw engine.trapped(thrown);
    } finally {
      this.#open.closeAll();
    }
  }

  #usable(): WasmEngine {
    if (this.#address === 0) throw misuse('the connection is closed');
    this.#engine.assertUsable();
    return this.#engine;
  }
}
