import type { ServerDsn } from '../server-dsn.ts';
import { DsnError } from './dsn-error.ts';

/**
 * Parses a DSN in any of its forms.
 *
 * @throws {DsnError}
 */
export function parseDsn(_text: string, _driver: ServerDsn['driver'] | undefined): ServerDsn {
  throw new DsnError('is in no form that is known');
}
