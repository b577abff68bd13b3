import type { ServerDsn } from '../server-dsn.ts';
import { formOf, trimmed } from './form.ts';
import { splitGo } from './go-mysql.ts';
import { splitKeywords } from './keywords.ts';
import { mysqlDsn } from './mysql-dsn.ts';
import { postgresDsn } from './postgres-dsn.ts';
import { splitUrl } from './url.ts';

/**
 * Parses a DSN in any of its forms: a URL, libpq's keywords, Go's MySQL form.
 *
 * @param driver the one that is asked for; undefined where the DSN's form alone decides
 * @throws {DsnError} whose message holds no part of the DSN
 */
export function parseDsn(text: string, driver: ServerDsn['driver'] | undefined): ServerDsn {
  const dsn = trimmed(text);
  const found = formOf(dsn, driver);
  switch (found.form) {
    case 'url': {
      const parts = splitUrl(dsn);
      return found.driver === 'postgres' ? postgresDsn(parts) : mysqlDsn(parts, 'url');
    }
    case 'keywords': {
      const parameters = splitKeywords(dsn);
      const none = { user: undefined, password: undefined, database: undefined };
      return postgresDsn({ hosts: [], ...none, parameters });
    }
    default:
      return mysqlDsn(splitGo(dsn), 'go');
  }
}
