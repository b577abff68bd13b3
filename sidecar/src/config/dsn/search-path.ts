import { DsnError } from './dsn-error.ts';

const ELEMENT = /\s*(?:"((?:[^"]|"")+)"|([^\s",;'\\]+))\s*(,|$)/y;

/**
 * The first schema of Postgres' search_path, which the tables are in. `"$user"` is passed over.
 *
 * @returns undefined where only the server can tell
 * @throws {DsnError}
 */
export function firstSchema(searchPath: string): { schema?: string; more: boolean } {
  const schemas: string[] = [];
  let at = 0;
  do {
    ELEMENT.lastIndex = at;
    const match = ELEMENT.exec(searchPath);
    if (match === null) {
      throw new DsnError(
        'has a search_path that is no list of schemas; write a name, in double quotes where it has other characters than letters, digits and underscores',
      );
    }
    const [, quoted, plain, comma] = match;
    schemas.push(quoted?.replaceAll('""', '"') ?? folded(plain ?? ''));
    at = ELEMENT.lastIndex;
    if (comma === '') break;
  } while (at <= searchPath.length);
  const [schema] = schemas.filter((one) => one !== '$user');
  return { ...(schema === undefined ? {} : { schema }), more: schemas.length > 1 };
}

/** As a server does whose encoding is UTF-8 (downcase_identifier in scansup.c): ASCII letters alone. */
function folded(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
