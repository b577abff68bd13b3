import { once } from 'node:events';
import { realpath } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { StoreError } from '../store-error.ts';
import type { VerifyReport } from './database/verify.ts';
import { LockFile } from './lock/lock-file.ts';
import { LockHeldError } from './lock/lock-held-error.ts';
import { BEAT_MS, STALE_MS } from './lock/lock-verdict.ts';
import { SharedState } from './lock/shared-state.ts';
import { fromPlain, type VerifierData, type VerifyReply } from './worker/protocol.ts';

export interface VerifiedFile {
  readonly sound: boolean;
  /** Lines for a reader. */
  readonly report: string;
}

/**
 * Checks the database file at a path in full, under its lock, so that no sidecar opens it meanwhile.
 * Never rejects: what keeps it from checking is the report.
 *
 * @param path as configured; nothing is made where there is nothing
 */
export async function verifyFile(path: string, cacheBytes: number): Promise<VerifiedFile> {
  const shared = new SharedState();
  let lock: LockFile | undefined;
  let beats: NodeJS.Timeout | undefined;
  try {
    const real = await realpath(path);
    const held = new LockFile(real, shared);
    lock = held;
    await acquire(held);
    beats = setInterval(() => void held.beat(), BEAT_MS);
    return tell(path, await inWorker({ verify: real, cacheBytes, shared: shared.buffer }));
  } catch (error) {
    return { sound: false, report: `${path} was not checked: ${why(error)}.\n` };
  } finally {
    clearInterval(beats);
    await lock?.release();
  }
}

/** Takes a lock that a crash has left as soon as it has lain still for long enough. */
async function acquire(lock: LockFile): Promise<void> {
  const deadline = performance.now() + STALE_MS + BEAT_MS;
  for (;;) {
    try {
      await lock.acquire();
      return;
    } catch (error) {
      if (!(error instanceof LockHeldError)) throw error;
      if (performance.now() >= deadline) {
        throw new StoreError(error.holding, { hint: 'stop that sidecar first', cause: error });
      }
    }
    await sleep(BEAT_MS / 2);
  }
}

/** A file of gigabytes takes longer than a lock lasts, so this thread stays free to renew it. */
async function inWorker(workerData: VerifierData): Promise<VerifyReport> {
  const worker = new Worker(new URL('./sqlite-worker.mjs', import.meta.url), { workerData });
  const [reply] = (await once(worker, 'message')) as [VerifyReply];
  if (!reply.ok) throw fromPlain(reply.error);
  return reply.report;
}

function tell(path: string, { problems, bytes, walBytes, meta, rows }: VerifyReport): VerifiedFile {
  const wal = walBytes === 0 ? '' : ` and ${walBytes} bytes of WAL`;
  const lines = [
    `${path}: ${bytes} bytes${wal}`,
    `schema version ${meta?.schemaVersion ?? 'unknown'}, last written by ${meta?.writtenBy ?? 'unknown'}`,
    ...Object.entries(rows).map(([table, count]) => `${table}: ${count} rows`),
    ...problems.map((problem) => `problem: ${problem}`),
    problems.length === 0 ? 'The file is sound.' : `The file has ${problems.length} problem(s).`,
  ];
  return { sound: problems.length === 0, report: lines.map((line) => `${line}\n`).join('') };
}

function why(error: unknown): string {
  if (error instanceof StoreError) return error.reason;
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' ? 'there is no such file' : (code ?? message);
}
