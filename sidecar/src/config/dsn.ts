import { readFileSync, statSync } from 'node:fs';

export type ServerDriver = 'postgres' | 'mysql';

const SCHEMES: Readonly<Record<string, ServerDriver>> = {
  postgres: 'postgres',
  postgresql: 'postgres',
  mysql: 'mysql',
  mariadb: 'mysql',
};

const URL_SCHEME = /^\s*([a-z][a-z0-9+.-]*):\/\//i;
/** libpq's keyword form: `host=db user=me`. */
const KEYWORDS = /^\s*\w+\s*=/;
/** The form of Go's MySQL driver: `me:secret@tcp(db:3306)/agenttier`. */
const GO_FORM = /@\w*\(|^\/|@\//;

/**
 * What a DSN says about the driver it is for.
 *
 * - `certain`: its URL scheme names the driver.
 * - otherwise it only has the look of one; STORAGE_DRIVER, where set, knows better.
 */
export function driverOf(dsn: string): { driver: ServerDriver; certain: boolean } | undefined {
  const scheme = URL_SCHEME.exec(dsn)?.[1];
  if (scheme !== undefined) {
    const driver = SCHEMES[scheme.toLowerCase()];
    if (driver !== undefined) return { driver, certain: true };
    // A user `u` whose password begins with `//` looks like a scheme.
    if (!GO_FORM.test(dsn)) return undefined;
  }
  return { driver: KEYWORDS.test(dsn) ? 'postgres' : 'mysql', certain: false };
}

/** A mounted Secret holds a line or two; anything larger is another file. */
const MAX_BYTES = 64 * 1024;

/** Reads the text of a small regular file. Throws what node:fs throws, or an error with a code. */
export function readSmallFile(path: string): string {
  const stats = statSync(path);
  // Opening a FIFO would wait for its writer.
  if (!stats.isFile()) throw Object.assign(new Error('not a file'), { code: 'not a regular file' });
  if (stats.size > MAX_BYTES) {
    throw Object.assign(new Error('too large'), { code: `larger than ${MAX_BYTES} bytes` });
  }
  return readFileSync(path, 'utf8');
}
