import { DsnError } from '../../config/dsn/dsn-error.ts';
import { type DsnPlaces, findDsn } from '../../config/dsn/find-dsn.ts';
import { parseDsn } from '../../config/dsn/parse-dsn.ts';
import type { ServerDsn } from '../../config/server-dsn.ts';
import { readSmallFileLater } from '../../config/small-file.ts';
import { StoreError } from '../store-error.ts';

/** Where a store learns how to connect. */
export interface DsnSource {
  /**
   * What the DSN says now: the file is read again at each call, so a Secret that comes late or is
   * rotated takes effect at the next connection.
   *
   * @throws {StoreError} transient, with the reason: no DSN yet, or one that cannot be used
   */
  current(): Promise<ServerDsn>;
}

export interface DsnSourceOptions extends DsnPlaces {
  /** Undefined where the DSN's form alone decides. */
  readonly driver: 'postgres' | 'mysql' | undefined;
  /** Reads a small file; rejects with an error that has a `code`. */
  readonly read?: (path: string) => Promise<string>;
  /** Milliseconds that it may take. */
  readonly readMs?: number;
}

/** A mounted Secret is in memory; what takes longer is a mount that hangs. */
const READ_MS = 5_000;

/** Creates the source of a store's DSN. Nothing that it throws holds any part of the DSN. */
export function dsnSource(options: DsnSourceOptions): DsnSource {
  const { driver, dsnFile, read = readSmallFileLater, readMs = READ_MS } = options;
  const file = dsnFile === undefined ? undefined : new PatientFile(() => read(dsnFile), readMs);
  return {
    async current() {
      const text = await file?.text();
      const found = findDsn(options, () => text?.() ?? '');
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

/**
 * A file that may lie on a mount that hangs. A read that is under way is not begun again: each one
 * holds a thread of the few that Node has for files and for names of hosts.
 */
class PatientFile {
  readonly #read: () => Promise<string>;
  readonly #limitMs: number;
  #reading: Promise<() => string> | undefined;

  constructor(read: () => Promise<string>, limitMs: number) {
    this.#read = read;
    this.#limitMs = limitMs;
  }

  /** Never rejects. @returns what answers the text, or throws what went wrong */
  async text(): Promise<() => string> {
    this.#reading ??= this.#begin().finally(() => {
      this.#reading = undefined;
    });
    const { promise: late, resolve } = Promise.withResolvers<() => string>();
    const timer = setTimeout(() => {
      const code = `no answer within ${this.#limitMs / 1_000} s`;
      resolve(() => {
        throw Object.assign(new Error(code), { code });
      });
    }, this.#limitMs);
    try {
      return await Promise.race([this.#reading, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #begin(): Promise<() => string> {
    try {
      const text = await this.#read();
      return () => text;
    } catch (error) {
      return () => {
        throw error;
      };
    }
  }
}
