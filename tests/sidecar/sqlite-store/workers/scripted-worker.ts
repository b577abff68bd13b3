/**
 * A SQLite worker whose disk does what the file `<database>.script` says, at each sync of the WAL:
 *
 * - where the file is a FIFO: the thread hangs in a system call that nothing interrupts, as with a
 *   dead NFS server, until somebody opens the other end.
 * - `exit`: ends the thread.
 * - `memory`: fills the thread's heap until V8 ends it.
 * - `throw`: lets an exception escape from the thread.
 * - `EIO`: the sync fails.
 */

import { existsSync, readFileSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import type { FileLayer } from '../../../../sidecar/src/stores/sqlite/files/file-layer.ts';
import { nodeFiles } from '../../../../sidecar/src/stores/sqlite/files/node-files.ts';
import type { WorkerData } from '../../../../sidecar/src/stores/sqlite/worker/protocol.ts';
import { serveSqlite } from '../../../../sidecar/src/stores/sqlite/worker/serve-sqlite.ts';

const script = `${(workerData as WorkerData).path}.script`;

const files: FileLayer = {
  ...nodeFiles,
  sync(handle) {
    if (existsSync(script)) perform(readFileSync(script, 'utf8'));
    nodeFiles.sync(handle);
  },
};

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
  } else if (act !== '') {
    throw Object.assign(new Error('injected'), { code: act });
  }
}

serveSqlite(files);
