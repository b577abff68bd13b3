import { parentPort } from 'node:worker_threads';
import { clearForeignShm } from '../database/foreign-sqlite.ts';
import { type VerifyReport, verify } from '../database/verify.ts';
import type { FileLayer } from '../files/file-layer.ts';
import { GuardedFiles } from '../lock/guarded-files.ts';
import { SharedState } from '../lock/shared-state.ts';
import { makeShmDirectory, removeShmDirectory } from '../lock/shm-directory.ts';
import { toPlain, type VerifierData, type VerifyReply } from './protocol.ts';

/**
 * Checks a file in full in this thread, and ends. The check is one long call, so it cannot renew
 * the lock itself: the main thread does, as it does for a serving worker.
 */
export async function verifySqlite(data: VerifierData, layer: FileLayer): Promise<void> {
  const guard = new GuardedFiles(layer, new SharedState(data.shared));
  const reply = (message: VerifyReply) => parentPort?.postMessage(message);
  try {
    const { verify: path, cacheBytes } = data;
    reply({ ok: true, report: await alone(path, guard, cacheBytes) });
  } catch (error) {
    reply({ ok: false, error: toPlain(guard.reasonOf(error)) });
  }
}

/** Keeps other programs from writing meanwhile, as a serving worker does. */
async function alone(path: string, guard: GuardedFiles, cacheBytes: number): Promise<VerifyReport> {
  const { files } = guard;
  const isThere = files.exists(path);
  if (isThere) {
    clearForeignShm(files, path);
    makeShmDirectory(path);
  }
  try {
    return await verify({ path, files, cacheBytes });
  } finally {
    // Another sidecar's, once the lock is lost.
    if (isThere && guard.refusal === undefined) removeShmDirectory(path);
  }
}
