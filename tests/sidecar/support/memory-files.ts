import { constants } from 'node:fs';
import type {
  FileHandle,
  FileLayer,
  FileStat,
} from '../../../sidecar/src/stores/sqlite/files/file-layer.ts';

/** The content of a file, apart from its name: it lives on while the file is open. */
export class Inode {
  static #next = 1;
  readonly number = Inode.#next++;
  links = 0;
  #bytes: Buffer;
  #size: number;

  constructor(content: Buffer = Buffer.alloc(0)) {
    this.#bytes = content;
    this.#size = content.length;
  }

  get size(): number {
    return this.#size;
  }

  /** A copy of the content. */
  content(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#size));
  }

  read(into: Uint8Array, offset: number, length: number, position: number): number {
    const from = this.#bytes.subarray(position, Math.min(position + length, this.#size));
    into.set(from, offset);
    return from.length;
  }

  write(from: Uint8Array, position: number): void {
    this.#grow(position + from.length);
    this.#bytes.set(from, position);
  }

  truncate(size: number): void {
    if (size < this.#size) this.#bytes.fill(0, size, this.#size);
    this.#grow(size);
    this.#size = size;
  }

  #grow(size: number): void {
    if (size > this.#bytes.length) {
      const grown = Buffer.alloc(Math.max(size, this.#bytes.length * 2));
      this.#bytes.copy(grown, 0, 0, this.#size);
      this.#bytes = grown;
    }
    this.#size = Math.max(this.#size, size);
  }
}

const DIRECTORY = 0o040_755;
const FILE = 0o100_644;

function fail(code: string): never {
  throw Object.assign(new Error(code), { code });
}

/**
 * A file layer in memory, which never fails: a page cache without a disk. Whatever has no file's
 * name is a directory.
 */
export class MemoryFiles implements FileLayer {
  readonly #names = new Map<string, Inode>();
  readonly #handles = new Map<FileHandle, Inode>();
  #next = 3;

  /** @param files contents by absolute path; taken over, not copied */
  constructor(files: Iterable<readonly [string, Buffer]> = []) {
    for (const [path, content] of files) {
      const inode = new Inode(content);
      inode.links = 1;
      this.#names.set(path, inode);
    }
  }

  paths(): string[] {
    return [...this.#names.keys()].sort();
  }

  content(path: string): Buffer {
    return this.#named(path).content();
  }

  /** Which inode an open handle stands for. */
  inode(handle: FileHandle): Inode {
    return this.#handles.get(handle) ?? fail('EBADF');
  }

  get openHandles(): number {
    return this.#handles.size;
  }

  open: FileLayer['open'] = (path, { create, exclusive }) => {
    let inode = this.#names.get(path);
    if (inode === undefined) {
      if (!create) fail('ENOENT');
      inode = new Inode();
      inode.links = 1;
      this.#names.set(path, inode);
    } else if (create && exclusive) fail('EEXIST');
    const handle = this.#next++;
    this.#handles.set(handle, inode);
    return handle;
  };
  read: FileLayer['read'] = (handle, into, offset, length, position) =>
    this.inode(handle).read(into, offset, length, position);
  write: FileLayer['write'] = (handle, from, offset, length, position) => {
    this.inode(handle).write(from.subarray(offset, offset + length), position);
    return length;
  };
  truncate: FileLayer['truncate'] = (handle, size) => this.inode(handle).truncate(size);
  sync: FileLayer['sync'] = (handle) => {
    this.inode(handle);
  };
  close: FileLayer['close'] = (handle) => {
    if (!this.#handles.delete(handle)) fail('EBADF');
  };

  stat: FileLayer['stat'] = (target) =>
    typeof target === 'string' ? this.lstat(target) : toStat(this.inode(target));
  lstat: FileLayer['lstat'] = (path) => {
    const inode = this.#names.get(path);
    if (inode !== undefined) return toStat(inode);
    if (this.#isDirectory(path)) return { ...toStat(new Inode()), mode: DIRECTORY };
    return fail('ENOENT');
  };
  access: FileLayer['access'] = (path, mode) => {
    if (!this.exists(path)) fail('ENOENT');
    if (mode & constants.X_OK && this.#names.has(path)) fail('EACCES');
  };
  exists: FileLayer['exists'] = (path) => this.#names.has(path) || this.#isDirectory(path);

  unlink: FileLayer['unlink'] = (path) => {
    this.#named(path).links = 0;
    this.#names.delete(path);
  };
  rename: FileLayer['rename'] = (from, to) => {
    const inode = this.#named(from);
    const replaced = this.#names.get(to);
    if (replaced !== undefined) replaced.links = 0;
    this.#names.delete(from);
    this.#names.set(to, inode);
  };
  syncDirectory: FileLayer['syncDirectory'] = () => {};
  space: FileLayer['space'] = () => ({ freeBytes: 1e12, totalBytes: 2e12 });

  #named(path: string): Inode {
    return this.#names.get(path) ?? fail('ENOENT');
  }

  /** Names of files have a dot or follow SQLite's pattern for temporary ones. */
  #isDirectory(path: string): boolean {
    return !/\.[^/]*$|etilqs_[^/]*$/.test(path);
  }
}

function toStat(inode: Inode): FileStat {
  return {
    device: 1,
    inode: inode.number,
    mode: FILE,
    links: inode.links,
    userId: 0,
    groupId: 0,
    size: inode.size,
    modifiedMs: 0,
  };
}
