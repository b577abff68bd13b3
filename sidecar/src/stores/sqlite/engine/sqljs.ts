/**
 * sql.js as it is used here: its WebAssembly module, and the JavaScript around it ("glue") for the
 * imports that are not replaced. Its JavaScript API is not used.
 */

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileFunction } from 'node:vm';

/** The SQLite inside the pinned sql.js. */
export const SQLITE_VERSION = '3.54.1';

/** Compiled once, to be instantiated for each connection. */
export interface SqlJs {
  readonly module: WebAssembly.Module;
  readonly glue: Glue;
}

/** The C functions that are called; addresses and flags are 32-bit, 0 is NULL. */
export interface SqliteExports {
  readonly memory: WebAssembly.Memory;
  malloc(bytes: number): number;
  free(address: number): void;
  sqlite3_open(path: number, connection: number): number;
  sqlite3_close_v2(connection: number): number;
  sqlite3_errmsg(connection: number): number;
  sqlite3_changes(connection: number): number;
  sqlite3_exec(connection: number, sql: number, callback: 0, data: 0, message: 0): number;
  sqlite3_prepare_v2(
    connection: number,
    sql: number,
    bytes: number,
    statement: number,
    tail: 0,
  ): number;
  sqlite3_bind_text(
    statement: number,
    parameter: number,
    address: number,
    bytes: number,
    destructor: number,
  ): number;
  sqlite3_bind_double(statement: number, parameter: number, value: number): number;
  /** There is no export of sqlite3_bind_null; a blob at address NULL binds NULL. */
  sqlite3_bind_blob(
    statement: number,
    parameter: number,
    address: 0,
    bytes: 0,
    destructor: 0,
  ): number;
  sqlite3_step(statement: number): number;
  sqlite3_reset(statement: number): number;
  sqlite3_finalize(statement: number): number;
  sqlite3_column_type(statement: number, column: number): number;
  sqlite3_column_text(statement: number, column: number): number;
  sqlite3_column_bytes(statement: number, column: number): number;
  sqlite3_column_double(statement: number, column: number): number;
}

type Imports = Readonly<Record<string, WebAssembly.ModuleImports>>;

/** https://emscripten.org/docs/api_reference/module.html#Module.instantiateWasm */
interface GlueConfig {
  instantiateWasm(imports: Imports, done: (instance: WebAssembly.Instance) => void): object;
}

/** The body of sql.js's CommonJS module, with what it finds in its scope. */
type Glue = (
  module: { exports: unknown },
  exports: unknown,
  require: NodeJS.Require,
  dirname: string,
  filename: string,
  console: Pick<Console, 'log' | 'warn' | 'error'>,
) => void;

/** Next to a bundle, as scripts/build.ts lays them out. */
const BUILT = {
  glue: new URL('./sqlite.cjs', import.meta.url),
  wasm: new URL('./sqlite.wasm', import.meta.url),
};

/**
 * The debug build alone keeps the names of its imports. The other one takes a tenth less time for an
 * insert, of which a commit to the disk has little left.
 */
const PACKAGED = {
  glue: 'sql.js/dist/sql-wasm-debug.js',
  wasm: 'sql.js/dist/sql-wasm-debug.wasm',
};

const requireHere = createRequire(import.meta.url);
let loading: Promise<SqlJs> | undefined;

/** Loads and compiles sql.js, once in a thread. */
export function loadSqlJs(): Promise<SqlJs> {
  loading ??= load();
  return loading;
}

async function load(): Promise<SqlJs> {
  const locate = (part: 'glue' | 'wasm') =>
    existsSync(BUILT[part]) ? fileURLToPath(BUILT[part]) : requireHere.resolve(PACKAGED[part]);
  const filename = locate('glue');
  const [source, wasm] = await Promise.all([readFile(filename, 'utf8'), readFile(locate('wasm'))]);
  const glue = compileFunction(
    source,
    ['module', 'exports', 'require', '__dirname', '__filename', 'console'],
    { filename },
  ) as Glue;
  return { module: await WebAssembly.compile(wasm), glue };
}

/** It prints each growth of the heap; what goes wrong is thrown as well. */
const SILENT = { log() {}, warn() {}, error() {} };

/**
 * Creates a fresh instance: a heap of its own, nothing shared. sql.js keeps the first instance in a
 * variable of its module, so the module's body is run anew each time.
 *
 * @param replace answers the imports to use in place of sql.js's own; `memory` may be called once
 *   the instance runs
 */
export async function instantiate(
  sqlJs: SqlJs,
  replace: (
    original: WebAssembly.ModuleImports,
    memory: () => WebAssembly.Memory,
  ) => WebAssembly.ModuleImports,
): Promise<SqliteExports> {
  const module = { exports: {} as unknown };
  sqlJs.glue(
    module,
    module.exports,
    requireHere,
    dirname(import.meta.filename),
    'sqlite.cjs',
    SILENT,
  );
  const start = module.exports as (config: GlueConfig) => Promise<unknown>;
  let exports: SqliteExports | undefined;
  const running = (): SqliteExports => {
    if (exports === undefined) throw new Error('the instance of SQLite does not run yet');
    return exports;
  };
  await new Promise<unknown>((resolve, reject) => {
    start({
      instantiateWasm(imports, done) {
        // An exception here would leave sql.js waiting for ever, with an unhandled rejection.
        try {
          const replaced: Record<string, WebAssembly.ModuleImports> = {};
          for (const [space, functions] of Object.entries(imports)) {
            replaced[space] = replace(functions, () => running().memory);
          }
          const instance = new WebAssembly.Instance(sqlJs.module, replaced);
          exports = instance.exports as unknown as SqliteExports;
          done(instance);
        } catch (error) {
          reject(error);
        }
        return {};
      },
    }).then(resolve, reject);
  });
  return running();
}
