/**
 * The operating system that SQLite sees. Emscripten gives a WebAssembly program a file system in
 * memory; here its imports are replaced, for the database's directory and whatever is below it, by
 * calls of a {@link FileLayer}. That puts SQLite's own unix VFS on the real disk. Paths outside
 * (`/dev/urandom`) stay with Emscripten.
 *
 * No exception crosses WebAssembly, which would leave SQLite's structures half changed: each
 * becomes an error number, and one without a number of its own becomes EIO and makes the
 * connection unsound.
 */

import { codeOf, EBADF, EIO, errnoOf } from '../files/errno.ts';
import { FILE_CALLS } from './file-calls.ts';
import { Heap } from './heap.ts';
import type { HostHealth } from './host-health.ts';
import { FIRST_DESCRIPTOR, type OpenFiles } from './open-files.ts';
import { type HostParts, PATH_CALLS } from './path-calls.ts';

export interface WasmHostOptions {
  readonly directory: string;
  readonly open: OpenFiles;
  readonly health: HostHealth;
  /** The instance's memory, once it runs. */
  readonly memory: () => WebAssembly.Memory;
}

/** An import, with the widest signature among those replaced. */
type Import = (a: number, b: number | bigint, c: number, d: number) => number;

/**
 * Creates the imports to instantiate SQLite with.
 *
 * @param original those of sql.js
 * @throws TypeError when sql.js lacks one that is to be replaced: its version is not the pinned one
 */
export function hostImports(
  original: WebAssembly.ModuleImports,
  options: WasmHostOptions,
): WebAssembly.ModuleImports {
  const { directory, open, health } = options;
  let parts: HostParts | undefined;
  const host = (): HostParts => {
    parts ??= { heap: new Heap(options.memory()), open };
    return parts;
  };
  const prefix = directory.endsWith('/') ? directory : `${directory}/`;
  const isOurs = (path: string) => path === directory || path.startsWith(prefix);

  const errno = (error: unknown, question: boolean): number => {
    const code = codeOf(error);
    const known = errnoOf(code);
    if (known === undefined) health.distrust();
    if (!question || known === undefined) health.failed(code);
    return known ?? EIO;
  };
  const find = (name: string): Import => {
    const found = original[name];
    if (typeof found !== 'function') throw new TypeError(`sql.js has no import ${name}`);
    return found as Import;
  };

  const imports = { ...original };
  for (const [name, call] of Object.entries(PATH_CALLS)) {
    const emscripten = find(name);
    const replaced: Import = (a, b, c, d) => {
      try {
        const path = host().heap.cString(call.path === 0 ? a : Number(b));
        if (!isOurs(path)) return emscripten(a, b, c, d);
        return call.run(host(), path, a, Number(b), c, d);
      } catch (error) {
        return -errno(error, call.question === true);
      }
    };
    imports[name] = replaced;
  }
  for (const [name, call] of Object.entries(FILE_CALLS)) {
    const emscripten = find(name);
    const sign = call.family === 'wasi' ? 1 : -1;
    const replaced: Import = (a, b, c, d) => {
      try {
        if (a < FIRST_DESCRIPTOR) return emscripten(a, b, c, d);
        return call.run(host(), a, b, c, d);
      } catch (error) {
        return sign * errno(error, false);
      }
    };
    imports[name] = replaced;
  }
  return Object.assign(imports, environment(directory, host), {
    // The only one left that takes a descriptor: SQLite maps files only when told to.
    _mmap_js: () => -EBADF,
  });
}

/**
 * The environment of the program: SQLite's temporary files, for sorting and building indexes, go to
 * the database's directory. By default they would lie in Emscripten's /tmp, in memory.
 */
function environment(directory: string, host: () => HostParts): WebAssembly.ModuleImports {
  const entry = `SQLITE_TMPDIR=${directory}`;
  return {
    environ_sizes_get(count: number, bytes: number) {
      const { heap } = host();
      heap.setU32(count, 1);
      heap.setU32(bytes, Buffer.byteLength(entry) + 1);
      return 0;
    },
    environ_get(pointers: number, strings: number) {
      const { heap } = host();
      heap.setU32(pointers, strings);
      heap.writeCString(entry, strings);
      return 0;
    },
  };
}
