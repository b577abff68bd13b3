import type { Config } from '../config/config.ts';

export interface Verified {
  readonly report: string;
  readonly code: 0 | 1 | 2;
}

/** Checks the database file that the configuration names, in full, while no sidecar uses it. */
export async function verifyDatabase({ storage, sqliteCacheBytes }: Config): Promise<Verified> {
  if (!('path' in storage)) {
    return { report: `There is no database to check: ${whyNot(storage)}.\n`, code: 2 };
  }
  const { verifyFile } = await import('../stores/sqlite/verify-file.ts');
  const { sound, report } = await verifyFile(storage.path, sqliteCacheBytes);
  return { report, code: sound ? 0 : 1 };
}

function whyNot(storage: Exclude<Config['storage'], { path: string }>): string {
  if ('unusable' in storage) return storage.unusable;
  if ('places' in storage) {
    return "storage is on a server, and this checks SQLite's files; use the server's own tools";
  }
  return 'STORAGE_SQLITE_PATH is not set';
}
