import type { Config } from '../config/config.ts';

export interface Verified {
  readonly report: string;
  readonly code: 0 | 1 | 2;
}

/** Checks the database file that the configuration names, in full, while no sidecar uses it. */
export async function verifyDatabase({ storage, sqliteCacheBytes }: Config): Promise<Verified> {
  if (!('path' in storage)) {
    const why = 'unusable' in storage ? storage.unusable : 'STORAGE_SQLITE_PATH is not set';
    return { report: `There is no database to check: ${why}.\n`, code: 2 };
  }
  const { verifyFile } = await import('../stores/sqlite/verify-file.ts');
  const { sound, report } = await verifyFile(storage.path, sqliteCacheBytes);
  return { report, code: sound ? 0 : 1 };
}
