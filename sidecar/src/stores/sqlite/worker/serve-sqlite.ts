import { parentPort, workerData } from 'node:worker_threads';
import { Database } from '../database/database.ts';
import { clearForeignShm } from '../database/foreign-sqlite.ts';
import type { WalOwner } from '../database/wal-owner.ts';
import type { FileLayer } from '../files/file-layer.ts';
import { GuardedFiles } from '../lock/guarded-files.ts';
import { SharedState } from '../lock/shared-state.ts';
import {
  makeShmDirectory,
  removeShmDirectory,
  requireShmDirectory,
} from '../lock/shm-directory.ts';
import type { WorkerData } from './protocol.ts';
import { type ServedDatabase, WorkerService } from './worker-service.ts';

/** Turns this thread into a SQLite worker on the files of a layer. */
export function serveSqlite(layer: FileLayer): void {
  if (parentPort === null) throw new Error('this is a worker thread, started by the sidecar');
  const data = workerData as WorkerData;
  const shared = new SharedState(data.shared);
  const guard = new GuardedFiles(layer, shared);
  const open = (onNotice: (notice: string) => void) =>
    openDatabase(data, guard, shared.walOwner, onNotice).catch((error: unknown) => {
      throw guard.reasonOf(error);
    });
  // Whatever is open below is closed with the thread, as by a kill; the WAL is made for that.
  new WorkerService(parentPort, open, () => process.exit());
}

async function openDatabase(
  data: WorkerData,
  guard: GuardedFiles,
  walOwner: WalOwner,
  onNotice: (notice: string) => void,
): Promise<ServedDatabase> {
  const { path, cacheBytes, version, checkInFull } = data;
  const { files } = guard;
  guard.check();
  clearForeignShm(files, path);
  makeShmDirectory(path);
  const beforeWrite = () => guard.check();
  const database = await Database.open({
    path,
    files,
    cacheBytes,
    version,
    checkInFull,
    walOwner,
    onNotice,
    beforeWrite,
  });
  const { file, wal, migrated } = database;
  return {
    opened: { file, wal, migrated },
    get figures() {
      return database.figures;
    },
    append: (rows) => guard.explain(() => database.append(rows)),
    slice: (query, budgetMs, maxBytes) => database.slice(query, budgetMs, maxBytes),
    probe: () =>
      guard.explain(() => {
        database.probe();
        requireShmDirectory(path);
      }),
    freeze: () => guard.explain(() => database.freeze()),
    thaw: () => guard.explain(() => database.thaw()),
    maintain: (idle) => guard.explain(() => database.maintain(idle)),
    close() {
      guard.explain(() => database.close());
      // Where that fails, the WAL stays, and what keeps others from deleting it stays as well.
      removeShmDirectory(path);
    },
  };
}
