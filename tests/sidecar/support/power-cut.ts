/**
 * A disk whose power can be cut at any point, afterwards: it runs in memory, keeps a trace of what
 * reached it, and rebuilds what could be on the platter after each step of the trace.
 *
 * The model is the one that POSIX promises and no more. Content is durable after a sync of the
 * file, names (creation, deletion, renaming) after a sync of their directory; until then each
 * operation may or may not have happened, in any order, and a write may be torn at sectors.
 *
 *     const disk = new PowerCutDisk<number>();
 *     const connection = await openConnection({ path: '/disk/a.db', files: disk.files });
 *     ...                      // commit something
 *     disk.acknowledge(42);    // what a caller was told is durable from here on
 *     for (const state of disk.cuts()) {
 *       const again = await openConnection({ path: '/disk/a.db', files: state.files() });
 *       // must hold whatever state.acknowledged says
 *     }
 */

import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { FileHandle, FileLayer } from '../../../sidecar/src/stores/sqlite/files/file-layer.ts';
import { Inode, MemoryFiles } from './memory-files.ts';
import { seededRandom } from './seeded-random.ts';

/** What became of the operations that no sync had made durable. */
export type CutMode =
  /** All of them happened. */
  | 'kept'
  /** None did. */
  | 'lost'
  /** Some did, each by chance. */
  | 'random'
  /** As random, and of each write only some sectors. */
  | 'torn';

export const CUT_MODES: readonly CutMode[] = ['kept', 'lost', 'random', 'torn'];

export interface CutOptions {
  /** Cut after each n-th operation only. */
  readonly every?: number;
  readonly modes?: readonly CutMode[];
  readonly seed?: number;
}

/** What a disk sector survives as a whole, at least. */
const SECTOR = 512;

type Write = { readonly kind: 'write'; file: number; position: number; data: Buffer };
type Truncate = { readonly kind: 'truncate'; file: number; size: number };
type ContentOperation = Write | Truncate;

type NameOperation =
  | { readonly kind: 'link'; path: string; file: number }
  | { readonly kind: 'unlink'; path: string }
  | { readonly kind: 'rename'; path: string; to: string };

type Operation<Mark> =
  | ContentOperation
  | NameOperation
  | { readonly kind: 'sync'; file: number }
  | { readonly kind: 'failed-sync'; file: number }
  | { readonly kind: 'sync-directory'; path: string }
  | { readonly kind: 'acknowledge'; mark: Mark };

export class PowerCutDisk<Mark = unknown> {
  /** For the program under test. */
  readonly files: FileLayer;
  readonly #memory: MemoryFiles;
  readonly #trace: Operation<Mark>[] = [];
  readonly #initial: ReadonlyMap<string, { file: number; content: Buffer }>;
  readonly #paths = new Map<FileHandle, string>();
  #failingSync: ((path: string) => boolean) | undefined;

  /**
   * @param initial files that are on the disk, durably, from the start, by absolute path
   * @param options.honest false for a disk (or a program) that never syncs: syncs return at once
   *   and make nothing durable
   */
  constructor(
    initial: Iterable<readonly [string, Buffer]> = [],
    { honest = true }: { readonly honest?: boolean } = {},
  ) {
    const contents = [...initial];
    this.#memory = new MemoryFiles(contents.map(([path, bytes]) => [path, Buffer.from(bytes)]));
    this.#initial = new Map(
      contents.map(([path, content]) => [
        path,
        { file: this.#memory.stat(path).inode, content: Buffer.from(content) },
      ]),
    );
    this.files = this.#traced(honest);
  }

  /** How many operations the trace has so far. */
  get length(): number {
    return this.#trace.length;
  }

  /** How many operations of a kind the trace has. */
  count(kind: Operation<Mark>['kind']): number {
    return this.#trace.filter((operation) => operation.kind === kind).length;
  }

  /** Marks the moment at which somebody was told that something is durable. */
  acknowledge(mark: Mark): void {
    this.#trace.push({ kind: 'acknowledge', mark });
  }

  /**
   * Makes the next sync of a file whose path matches fail as Linux does it: EIO, what was to be
   * synced stays readable from the page cache, is taken for clean, and never reaches the disk.
   */
  failNextSync(matches: (path: string) => boolean = () => true): void {
    this.#failingSync = matches;
  }

  /** The disk after each operation, once for each mode. */
  *cuts({ every = 1, modes = CUT_MODES, seed = 1 }: CutOptions = {}): Generator<CutState<Mark>> {
    const random = seededRandom(seed);
    const platter = new Platter(this.#initial);
    let acknowledged: Mark | undefined;
    for (const [index, operation] of this.#trace.entries()) {
      if (operation.kind === 'acknowledge') acknowledged = operation.mark;
      else platter.apply(operation);
      const at = index + 1;
      if (at % every !== 0 && at !== this.#trace.length) continue;
      for (const mode of modes) {
        yield new CutState(at, mode, acknowledged, platter.after(mode, random));
      }
    }
  }

  #traced(honest: boolean): FileLayer {
    const memory = this.#memory;
    const trace = this.#trace;
    const file = (handle: FileHandle) => memory.inode(handle).number;
    return {
      open: (path, mode) => {
        const created = mode.create && !memory.exists(path);
        const handle = memory.open(path, mode);
        this.#paths.set(handle, path);
        if (created) trace.push({ kind: 'link', path, file: file(handle) });
        return handle;
      },
      read: memory.read,
      write: (handle, from, offset, length, position) => {
        const data = Buffer.from(from.subarray(offset, offset + length));
        trace.push({ kind: 'write', file: file(handle), position, data });
        return memory.write(handle, from, offset, length, position);
      },
      truncate: (handle, size) => {
        trace.push({ kind: 'truncate', file: file(handle), size });
        memory.truncate(handle, size);
      },
      sync: (handle) => {
        if (this.#failingSync?.(this.#paths.get(handle) as string)) {
          this.#failingSync = undefined;
          trace.push({ kind: 'failed-sync', file: file(handle) });
          throw Object.assign(new Error('EIO'), { code: 'EIO' });
        }
        if (honest) trace.push({ kind: 'sync', file: file(handle) });
      },
      close: (handle) => {
        this.#paths.delete(handle);
        memory.close(handle);
      },
      stat: memory.stat,
      lstat: memory.lstat,
      access: memory.access,
      exists: memory.exists,
      unlink: (path) => {
        memory.unlink(path);
        trace.push({ kind: 'unlink', path });
      },
      rename: (from, to) => {
        memory.rename(from, to);
        trace.push({ kind: 'rename', path: from, to });
      },
      syncDirectory: (path) => {
        if (honest) trace.push({ kind: 'sync-directory', path });
      },
      space: memory.space,
    };
  }
}

/** What was on the disk when the power came back. */
export class CutState<Mark> {
  /** Operations before the cut. */
  readonly at: number;
  readonly mode: CutMode;
  /** The last mark before the cut. */
  readonly acknowledged: Mark | undefined;
  readonly #contents: ReadonlyMap<string, Buffer>;

  constructor(
    at: number,
    mode: CutMode,
    acknowledged: Mark | undefined,
    contents: ReadonlyMap<string, Buffer>,
  ) {
    this.at = at;
    this.mode = mode;
    this.acknowledged = acknowledged;
    this.#contents = contents;
  }

  /** The same for states in which nothing differs: many cuts leave what others have left. */
  get fingerprint(): string {
    const hash = createHash('sha1').update(String(this.acknowledged));
    for (const path of [...this.#contents.keys()].sort()) {
      hash.update(path).update(this.#contents.get(path) as Buffer);
    }
    return hash.digest('base64');
  }

  /** A fresh file layer on a copy of this state. */
  files(): MemoryFiles {
    return new MemoryFiles([...this.#contents].map(([path, bytes]) => [path, Buffer.from(bytes)]));
  }

  /** Another disk to work on, whose power may be cut again. */
  disk<Next = Mark>(): PowerCutDisk<Next> {
    return new PowerCutDisk<Next>(this.#contents);
  }

  /** Writes the files into a real directory, by their last name. */
  writeTo(directory: string): void {
    mkdirSync(directory, { recursive: true });
    for (const [path, content] of this.#contents) {
      writeFileSync(join(directory, basename(path)), content);
    }
  }

  toString(): string {
    return `cut after ${this.at} operations, unsynced ${this.mode}`;
  }
}

/** What is durable, and in order what may be. */
class Platter {
  readonly #names = new Map<string, number>();
  readonly #contents = new Map<number, Inode>();
  #pendingNames: NameOperation[] = [];
  readonly #pendingContents = new Map<number, ContentOperation[]>();

  constructor(initial: ReadonlyMap<string, { file: number; content: Buffer }>) {
    for (const [path, { file, content }] of initial) {
      this.#names.set(path, file);
      this.#contents.set(file, new Inode(Buffer.from(content)));
    }
  }

  apply(operation: Exclude<Operation<never>, { kind: 'acknowledge' }>): void {
    switch (operation.kind) {
      case 'write':
      case 'truncate': {
        const pending = this.#pendingContents.get(operation.file) ?? [];
        pending.push(operation);
        this.#pendingContents.set(operation.file, pending);
        break;
      }
      case 'sync':
        for (const pending of this.#pendingContents.get(operation.file) ?? []) {
          change(this.#contents, pending);
        }
        this.#pendingContents.delete(operation.file);
        break;
      case 'failed-sync':
        this.#pendingContents.delete(operation.file);
        break;
      case 'sync-directory': {
        const [here, elsewhere] = partition(
          this.#pendingNames,
          ({ path }) => dirname(path) === operation.path,
        );
        for (const pending of here) rename(this.#names, pending);
        this.#pendingNames = elsewhere;
        break;
      }
      default:
        this.#pendingNames.push(operation);
    }
  }

  /** Files by path as one cut could leave them. */
  after(mode: CutMode, random: () => number): Map<string, Buffer> {
    const happened = () => mode === 'kept' || (mode !== 'lost' && random() < 0.5);
    const names = new Map(this.#names);
    for (const pending of this.#pendingNames) if (happened()) rename(names, pending);
    const files = new Map<string, Buffer>();
    for (const [path, file] of names) {
      const contents = new Map([[file, new Inode(this.#contents.get(file)?.content())]]);
      for (const pending of this.#pendingContents.get(file) ?? []) {
        if (mode === 'torn' && pending.kind === 'write') {
          for (const sector of sectors(pending)) if (happened()) change(contents, sector);
        } else if (happened()) change(contents, pending);
      }
      files.set(path, (contents.get(file) as Inode).content());
    }
    return files;
  }
}

function change(contents: Map<number, Inode>, operation: ContentOperation): void {
  const inode = contents.get(operation.file) ?? new Inode();
  contents.set(operation.file, inode);
  if (operation.kind === 'write') inode.write(operation.data, operation.position);
  else inode.truncate(operation.size);
}

function rename(names: Map<string, number>, operation: NameOperation): void {
  switch (operation.kind) {
    case 'link':
      names.set(operation.path, operation.file);
      break;
    case 'unlink':
      names.delete(operation.path);
      break;
    case 'rename': {
      const file = names.get(operation.path);
      if (file === undefined) break;
      names.delete(operation.path);
      names.set(operation.to, file);
    }
  }
}

function* sectors({ file, position, data }: Write): Generator<Write> {
  let start = 0;
  while (start < data.length) {
    const end = Math.min(data.length, start + SECTOR - ((position + start) % SECTOR));
    yield { kind: 'write', file, position: position + start, data: data.subarray(start, end) };
    start = end;
  }
}

function partition<T>(items: readonly T[], belongs: (item: T) => boolean): [T[], T[]] {
  return [items.filter(belongs), items.filter((item) => !belongs(item))];
}
