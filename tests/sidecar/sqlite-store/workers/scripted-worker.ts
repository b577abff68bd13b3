/**
 * A SQLite worker whose disk does what the file `<database>.script` says, at each sync:
 *
 * - where the file is a FIFO: the thread hangs in a system call that nothing interrupts, as with a
 *   dead NFS server, until somebody opens the other end.
 * - `exit`: ends the thread.
 * - `memory`: fills the thread's heap until V8 ends it.
 * - `throw`: lets an exception escape from the thread.
 * - `EIO`: the sync fails.
 * - `full`: the sync goes well, and each write to the database fails, not to its WAL.
 * - `no room`: the sync goes well, and each write fails.
 * - `tight`: all goes well, and the volume has a page left.
 */

import { readFileSync, statSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import type {
  FileHandle,
  FileLayer,
} from '../../../../sidecar/src/stores/sqlite/files/file-layer.ts';
import { nodeFiles } from '../../../../sidecar/src/stores/sqlite/files/node-files.ts';
import type { WorkerData } from '../../../../sidecar/src/stores/sqlite/worker/protocol.ts';
import { serveSqlite } from '../../../../sidecar/src/stores/sqlite/worker/serve-sqlite.ts';

const { path } = workerData as WorkerData;
const script = `${path}.script`;
const handles = new Set<FileHandle>();
/** With these the sync goes well. */
const GO_WELL = new Set(['', 'full', 'no room', 'tight']);

const files: FileLayer = {
  ...nodeFiles,
  open(name, mode) {
    const handle = nodeFiles.open(name, mode);
    if (name === path) handles.add(handle);
    else handles.delete(handle);
    return handle;
  },
  write(handle, ...what) {
    const act = readAct();
    if (act === 'no room' || (act === 'full' && handles.has(handle))) {
      throw Object.assign(new Error('injected'), { code: 'ENOSPC' });
    }
    return nodeFiles.write(handle, ...what);
  },
  sync(handle) {
    perform(readScript());
    nodeFiles.sync(handle);
  },
  space(name) {
    const space = nodeFiles.space(name);
    return readAct() === 'tight' ? { ...space, freeBytes: 4_096 } : space;
  },
};

function readScript(): string {
  try {
    return readFileSync(script, 'utf8');
  } catch {
    // There is none, or it has just been taken away.
    return '';
  }
}

function readAct(): string {
  // A FIFO is for syncs to hang in.
  const isAct = statSync(script, { throwIfNoEntry: false })?.isFile() === true;
  return isAct ? readScript() : '';
}

function perform(act: string): void {
  if (act === 'exit') {
    process.exit(3);
  } else if (act === 'throw') {
    setImmediate(() => {
      throw new Error('escaped');
    });
  } else if (act === 'memory') {
    const hoard: number[][] = [];
    for (;;) hoard.push(Array.from({ length: 100_000 }, (_, i) => i / 3));
  } else if (!GO_WELL.has(act)) {
    throw Object.assign(new Error('injected'), { code: act });
  }
}

serveSqlite(files);
