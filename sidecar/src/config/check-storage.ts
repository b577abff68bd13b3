import { accessSync, constants } from 'node:fs';
import type { Loaded } from './config.ts';
import { DsnError } from './dsn/dsn-error.ts';
import { findDsn } from './dsn/find-dsn.ts';
import { parseDsn } from './dsn/parse-dsn.ts';
import type { ServerDsn } from './server-dsn.ts';
import { readSmallFile } from './small-file.ts';

/**
 * Adds what is wrong with a server's DSN at this moment, for `--check`. A running process does not
 * need it: it reads the DSN again at each attempt to connect, and says the same in /readyz.
 */
export function withStorageChecked(loaded: Loaded, read = readSmallFile): Loaded {
  const { storage } = loaded.config;
  if (!('places' in storage)) return loaded;
  const errors = [...loaded.errors];
  const warnings = [...loaded.warnings];
  const found = findDsn(storage.places, read);
  if ('missing' in found) {
    errors.push(`storage is down: ${found.missing}`);
    return { ...loaded, errors };
  }
  if (found.passedOver !== undefined) warnings.push(`${found.passedOver}; STORAGE_DSN is used`);
  try {
    const driver = storage.driver === 'unknown' ? undefined : storage.driver;
    const dsn = parseDsn(found.text, driver);
    warnings.push(...dsn.warnings.map((warning) => `of the DSN, ${warning}`));
    errors.push(...unreadable(dsn));
  } catch (error) {
    const what = error instanceof DsnError ? error.message : 'cannot be understood';
    errors.push(`storage is down: the DSN in ${found.from} ${what}`);
  }
  return { ...loaded, errors, warnings };
}

/** The certificates that the DSN names and this process cannot read. */
function unreadable({ tls }: ServerDsn): string[] {
  const attempt = tls.find((one) => one.tls);
  if (attempt === undefined) return [];
  const files = [
    ['certificate authority', attempt.ca],
    ["client's certificate", attempt.cert],
    ["client's key", attempt.key],
  ] as const;
  return files.flatMap(([what, path]) => {
    try {
      if (path !== undefined) accessSync(path, constants.R_OK);
      return [];
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
      return [`the file of the ${what} that the DSN names cannot be read (${code})`];
    }
  });
}
