import { StoreError } from '../store-error.ts';

/**
 * Creates the error for a table that took a row without complaint and does not hold it. Rules are
 * no cause of it: with one, the server refuses ON CONFLICT.
 *
 * @param doing what was tried, to read after "cannot": `append`
 */
export function swallowed(doing: string, table: string): StoreError {
  return new StoreError(`cannot ${doing}: the table ${table} swallows rows`, {
    hint: 'drop the trigger of another program that returns NULL before INSERT, or the row security policy that hides rows from the sidecar',
  });
}
