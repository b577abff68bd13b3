import { realpath } from 'node:fs/promises';
import { StoreError } from '../store-error.ts';
import { type VerifyReport, verify } from './database/verify.ts';
import { nodeFiles } from './files/node-files.ts';
import { LockFile } from './lock/lock-file.ts';
import { SharedState } from './lock/shared-state.ts';

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
  let lock: LockFile | undefined;
  try {
    const real = await realpath(path);
    lock = new LockFile(real, new SharedState());
    await lock.acquire();
    return tell(path, await verify({ path: real, files: nodeFiles, cacheBytes }));
  } catch (error) {
    return { sound: false, report: `${path} was not checked: ${why(error)}.\n` };
  } finally {
    await lock?.release();
  }
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
