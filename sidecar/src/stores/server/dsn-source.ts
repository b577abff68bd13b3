import { DsnError } from '../../config/dsn/dsn-error.ts';
import { parseDsn } from '../../config/dsn/parse-dsn.ts';
import type { ServerDsn } from '../../config/server-dsn.ts';
import { readSmallFile } from '../../config/small-file.ts';
import { StoreError } from '../store-error.ts';

/** Where a store learns how to connect. */
export interface DsnSource {
  /**
   * What the DSN says now: the file is read again at each call, so a Secret that comes late or is
   * rotated takes effect at the next connection.
   *
   * @throws {StoreError} transient, with the reason: no DSN yet, or one that cannot be used
   */
  current(): ServerDsn;
}

export interface DsnSourceOptions {
  /** STORAGE_DSN. */
  readonly dsn?: string | undefined;
  /** STORAGE_DSN_FILE; goes before `dsn` if it exists and is not blank. */
  readonly dsnFile?: string | undefined;
  /** Undefined where the DSN's form alone decides. */
  readonly driver: 'postgres' | 'mysql' | undefined;
  /** Reads a small file; throws an error with a `code`. */
  readonly read?: (path: string) => string;
}

/** Creates the source of a store's DSN. Nothing that it throws holds any part of the DSN. */
export function dsnSource(options: DsnSourceOptions): DsnSource {
  const { dsn, dsnFile, driver, read = readSmallFile } = options;
  return {
    current() {
      const found = findDsn(dsn, dsnFile, read);
      if ('missing' in found) {
        throw new StoreError(found.missing, {
          hint: 'it is looked for again at each attempt to connect',
        });
      }
      try {
        return parseDsn(found.text, driver);
      } catch (error) {
        // Any other error would be a defect; its message could hold what it failed at.
        const what = error instanceof DsnError ? error.message : 'cannot be understood';
        throw new StoreError(`the DSN in ${found.from} ${what}`);
      }
    },
  };
}

/** The text of the DSN and the variable it came by, or why there is none. */
export function findDsn(
  dsn: string | undefined,
  dsnFile: string | undefined,
  read: (path: string) => string,
): { text: string; from: string } | { missing: string } {
  let missing = 'neither STORAGE_DSN nor STORAGE_DSN_FILE is set';
  if (dsnFile !== undefined) {
    try {
      const text = read(dsnFile);
      if (text.trim() !== '') return { text, from: 'the file that STORAGE_DSN_FILE names' };
      missing = 'the file that STORAGE_DSN_FILE names is blank';
    } catch (error) {
      missing = `the file that STORAGE_DSN_FILE names cannot be read (${codeOf(error)})`;
    }
  }
  if (dsn === undefined) return { missing };
  if (dsn.trim() !== '') return { text: dsn, from: 'STORAGE_DSN' };
  return { missing: dsnFile === undefined ? 'STORAGE_DSN is blank' : missing };
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown error';
}
