import { shown } from './bad-value.ts';
import { driverOf, type ServerDriver } from './dsn.ts';
import { DRIVER, type Driver, DSN, DSN_FILE, SQLITE_PATH } from './variables.ts';

/** Which store keeps the records. */
export type Storage =
  | { readonly driver: 'none' }
  | { readonly driver: 'sqlite'; readonly path: string }
  | {
      /** What was asked for, as far as it can be told. */
      readonly driver: 'sqlite' | ServerDriver | 'unknown';
      /** Why it cannot work, and what to do. */
      readonly unusable: string;
    };

/** The variables that select a store, as they are set; empty ones are absent. */
export interface StorageVariables {
  readonly driver?: string | undefined;
  readonly path?: string | undefined;
  readonly dsn?: string | undefined;
  readonly dsnFile?: string | undefined;
}

/** The stores for servers are not there yet. */
const NOT_IN_THIS_BUILD = 'is not in this build; sqlite and none are';

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
  return chooseServer(driver, set, read, warn);
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
  if (/^\w+:\/\/|^file:/.test(path)) {
    return `is ${shown(path)}: a URL; give the path of a file, and a DSN in ${DSN.name}`;
  }
  if (/@\w*\(|\bpassword\s*=/i.test(path)) {
    return `is ${shown(path)}: a DSN by its look; give the path of a file, and a DSN in ${DSN.name}`;
  }
  return undefined;
}

function chooseServer(
  driver: ServerDriver | undefined,
  set: StorageVariables,
  read: (path: string) => string,
  warn: (warning: string) => void,
): Storage {
  const found = findDsn(set, read);
  if (found.dsn === undefined) {
    return { driver: driver ?? 'unknown', unusable: `${found.problem}; ${server(driver)}` };
  }
  if (found.problem !== undefined) warn(`${found.problem}; ${DSN.name} is used`);
  const meant = driverOf(found.dsn);
  if (meant === undefined) {
    const unusable = `${found.from} begins with a scheme that is none of postgres, postgresql, mysql and mariadb`;
    return { driver: driver ?? 'unknown', unusable };
  }
  if (driver !== undefined && meant.certain && meant.driver !== driver) {
    const unusable = `${DRIVER.name} is ${driver}, but ${found.from} holds a DSN for ${meant.driver}`;
    return { driver, unusable };
  }
  const chosen = driver ?? meant.driver;
  return { driver: chosen, unusable: server(chosen) };
}

function server(driver: ServerDriver | undefined): string {
  return driver === undefined
    ? `storage on a server ${NOT_IN_THIS_BUILD}`
    : `the driver ${driver} ${NOT_IN_THIS_BUILD}`;
}

/** The file's DSN if it exists and is not blank, else the variable's. */
function findDsn(
  set: StorageVariables,
  read: (path: string) => string,
): { dsn?: string; from?: string; problem?: string } {
  let problem: string | undefined;
  if (set.dsnFile !== undefined) {
    try {
      const dsn = read(set.dsnFile);
      if (dsn.trim() !== '') return { dsn, from: DSN_FILE.name };
      problem = `the file that ${DSN_FILE.name} names is blank`;
    } catch (error) {
      problem = `the file that ${DSN_FILE.name} names, ${shown(set.dsnFile)}, cannot be read (${codeOf(error)})`;
    }
  }
  const because = problem === undefined ? {} : { problem };
  if (set.dsn === undefined) return because;
  if (set.dsn.trim() !== '') return { ...because, dsn: set.dsn, from: DSN.name };
  return { problem: problem ?? `${DSN.name} is blank` };
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown error';
}
