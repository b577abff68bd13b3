import type { ServerDsn } from '../server-dsn.ts';
import { DsnError } from './dsn-error.ts';

export type Form = 'url' | 'keywords' | 'go';

const SCHEMES: ReadonlyMap<string, ServerDsn['driver']> = new Map([
  ['postgres', 'postgres'],
  ['postgresql', 'postgres'],
  ['mysql', 'mysql'],
  ['mariadb', 'mysql'],
]);

const SCHEME = /^([a-z][a-z0-9+.-]*):\/\//i;
const KNOWN_WITH_MORE =
  /^(?:jdbc:)?(?:postgres|postgresql|mysql|mariadb)(?:[+:][a-z0-9+.:-]*)?:\/\//i;
const KEYWORDS = /^\w+\s*=/;
/** `me@tcp(`, `/db`, `me@/db`: how Go's form goes on where its user looks like a scheme. */
const GO_FORM = /@\w*\(|^\/|@\//;

/** The DSN without what a file's end, an editor or a shell may have left around it. */
export function trimmed(text: string): string {
  return text.replace(/^[\s\uFEFF]+|\s+$/g, '');
}

/**
 * Tells the form of a DSN and the driver that it is for: a URL by its scheme; else the driver that
 * is asked for decides; else what begins as `key =` is libpq's keyword form, and the rest Go's.
 *
 * @param dsn trimmed
 * @throws {DsnError}
 */
export function formOf(
  dsn: string,
  asked: ServerDsn['driver'] | undefined,
): { form: Form; driver: ServerDsn['driver'] } {
  if (dsn === '') throw new DsnError('is blank');
  const scheme = SCHEME.exec(dsn)?.[1]?.toLowerCase();
  const driver = scheme === undefined ? undefined : SCHEMES.get(scheme);
  if (driver !== undefined) {
    if (asked !== undefined && asked !== driver) {
      throw new DsnError(`is for ${driver} by its scheme, but STORAGE_DRIVER is ${asked}`);
    }
    return { form: 'url', driver };
  }
  if (/^["'`]/.test(dsn)) {
    throw new DsnError('begins with a quote; give it as it is, without quotes around it');
  }
  if (KNOWN_WITH_MORE.test(dsn)) {
    throw new DsnError(
      "begins with another program's scheme; write postgres:// or mysql://, with nothing before or after the name",
    );
  }
  if (scheme !== undefined && !GO_FORM.test(dsn)) {
    throw new DsnError(
      'begins with a scheme that is none of postgres, postgresql, mysql and mariadb',
    );
  }
  if (asked === 'postgres' || (asked === undefined && KEYWORDS.test(dsn))) {
    return { form: 'keywords', driver: 'postgres' };
  }
  return { form: 'go', driver: 'mysql' };
}
