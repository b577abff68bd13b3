import { shown } from './bad-value.ts';
import { DsnError } from './dsn/dsn-error.ts';
import { type DsnPlaces, findDsn } from './dsn/find-dsn.ts';
import { formOf, trimmed } from './dsn/form.ts';
import { parseDsn } from './dsn/parse-dsn.ts';
import type { ServerDsn } from './server-dsn.ts';
import { DRIVER, type Driver, DSN, DSN_FILE, SQLITE_PATH } from './variables.ts';

type ServerDriver = ServerDsn['driver'];

/** Which store keeps the records. */
export type Storage =
  | { readonly driver: 'none' }
  | { readonly driver: 'sqlite'; readonly path: string }
  | ServerStorage
  | {
      /** What was asked for, as far as it can be told. */
      readonly driver: 'sqlite' | ServerDriver | 'unknown';
      /** Why it cannot work, and what to do. */
      readonly unusable: string;
    };

/**
 * A server whose DSN is read at each attempt to connect: the one in a file may come late, be
 * rotated, or be mended.
 */
export interface ServerStorage {
  /** At the start; `unknown` where only a DSN that is not there yet can tell. */
  readonly driver: ServerDriver | 'unknown';
  /** By STORAGE_DRIVER; undefined where the DSN alone tells, each time that it is read. */
  readonly asked?: ServerDriver | undefined;
  /** Hold a secret. */
  readonly places: DsnPlaces;
}

/** The variables that select a store, as they are set; empty ones are absent. */
export interface StorageVariables {
  readonly driver?: string | undefined;
  readonly path?: string | undefined;
  readonly dsn?: string | undefined;
  readonly dsnFile?: string | undefined;
}

/**
 * Resolves the variables to one store. Never falls back to the no-op: what was asked for and
 * cannot work is `unusable`, with the reason.
 *
 * @param read reads STORAGE_DSN_FILE; throws an error with a `code`
 * @param warn takes what works and should be looked at
 */
export function chooseStorage(
  set: StorageVariables,
  read: (path: string) => string,
  warn: (warning: string) => void,
): Storage {
  let driver: Driver | undefined;
  try {
    driver = set.driver === undefined ? undefined : DRIVER.parse(set.driver);
  } catch (error) {
    return { driver: 'unknown', unusable: `${DRIVER.name} ${(error as Error).message}` };
  }

  const servers = [set.dsn && DSN.name, set.dsnFile && DSN_FILE.name].filter(Boolean);
  const selecting = [...(set.path ? [SQLITE_PATH.name] : []), ...servers];
  if (driver === 'none') {
    if (selecting.length > 0) {
      warn(`${DRIVER.name} is none, so ${selecting.join(' and ')} has no effect`);
    }
    return { driver };
  }
  if (driver === undefined && selecting.length === 0) return { driver: 'none' };

  const asked = driver ?? 'unknown';
  if (set.path !== undefined && servers.length > 0) {
    const unusable = `${selecting.join(' and ')} are both set; unset the one that is not meant`;
    return { driver: asked, unusable };
  }
  if (set.path !== undefined) return chooseSqlite(driver, set.path);
  if (driver === 'sqlite') {
    const unusable = `${DRIVER.name} is sqlite, but ${SQLITE_PATH.name} is not set${butIs(servers)}`;
    return { driver, unusable };
  }
  if (servers.length === 0) {
    const unusable = `${DRIVER.name} is ${asked}, but neither ${DSN.name} nor ${DSN_FILE.name} is set`;
    return { driver: asked, unusable };
  }
  return chooseServer(driver, { dsn: set.dsn, dsnFile: set.dsnFile }, read);
}

function butIs(names: readonly unknown[]): string {
  return names.length === 0 ? '' : ` (${names.join(' and ')} is, which selects postgres or mysql)`;
}

function chooseSqlite(driver: 'sqlite' | ServerDriver | undefined, path: string): Storage {
  if (driver !== undefined && driver !== 'sqlite') {
    const unusable = `${DRIVER.name} is ${driver}, but ${SQLITE_PATH.name} is set, which selects sqlite`;
    return { driver, unusable };
  }
  const wrong = wrongPath(path);
  if (wrong !== undefined) {
    return { driver: 'sqlite', unusable: `${SQLITE_PATH.name} ${wrong}` };
  }
  return { driver: 'sqlite', path };
}

/** What is not the path of a file, whatever the file system says. */
function wrongPath(path: string): string | undefined {
  if (path.trim() === '') return 'is blank; give the path of a file, or unset it';
  if (path === ':memory:') return 'is :memory:, which keeps nothing; give the path of a file';
  if (/^\s*(\w+:\/\/|file:)/.test(path)) {
    return `is ${shown(path)}: a URL; give the path of a file, and a DSN in ${DSN.name}`;
  }
  // Go's form may leave out the part in parentheses: `user:password@/database`.
  if (/@\w*\(|^[^/]*:[^/]*@|\bpassword\s*=/i.test(path)) {
    return `is ${shown(path)}: a DSN by its look; give the path of a file, and a DSN in ${DSN.name}`;
  }
  if (path !== path.trim()) {
    return 'begins or ends with white space, which would be part of the name; remove it';
  }
  if (path.endsWith('/')) return `is ${shown(path)}: a directory; give the path of a file`;
  return undefined;
}

/** A DSN that only the environment holds cannot change: what is wrong with it stays so. */
function chooseServer(
  driver: ServerDriver | undefined,
  places: DsnPlaces,
  read: (path: string) => string,
): Storage {
  const found = findDsn(places, read);
  const meant = driver ?? ('text' in found ? meantDriver(found.text) : undefined) ?? 'unknown';
  if (places.dsnFile !== undefined) return { driver: meant, asked: driver, places };
  if ('missing' in found) return { driver: meant, unusable: found.missing };
  try {
    return { driver: parseDsn(found.text, driver).driver, asked: driver, places };
  } catch (error) {
    const what = error instanceof DsnError ? error.message : 'cannot be understood';
    return { driver: meant, unusable: `the DSN in ${found.from} ${what}` };
  }
}

function meantDriver(text: string): ServerDriver | undefined {
  try {
    return formOf(trimmed(text), undefined).driver;
  } catch {
    return undefined;
  }
}
