import { DsnError } from '../../config/dsn/dsn-error.ts';
import { type DsnPlaces, findDsn } from '../../config/dsn/find-dsn.ts';
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

export interface DsnSourceOptions extends DsnPlaces {
  /** Undefined where the DSN's form alone decides. */
  readonly driver: 'postgres' | 'mysql' | undefined;
  /** Reads a small file; throws an error with a `code`. */
  readonly read?: (path: string) => string;
}

/** Creates the source of a store's DSN. Nothing that it throws holds any part of the DSN. */
export function dsnSource(options: DsnSourceOptions): DsnSource {
  const { driver, read = readSmallFile } = options;
  return {
    current() {
      const found = findDsn(options, read);
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
