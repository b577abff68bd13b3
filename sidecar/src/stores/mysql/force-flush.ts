/**
 * InnoDB makes a transaction visible before its redo log is flushed. So whoever finds a row stored
 * already does not know yet that it is durable: the session whose COMMIT was cut off may have left it
 * in the log's buffer. A COMMIT of a transaction that changed nothing flushes nothing, nor does one
 * that has rolled back to a savepoint.
 */

import { META_TABLE, WRITTEN_BY_KEY } from '../server/migrations.ts';
import { serverError } from './errors.ts';
import type { Session } from './session.ts';

const WHERE = `WHERE \`key\` = '${WRITTEN_BY_KEY}'`;
const READ_SQL = `SELECT value FROM ${META_TABLE} ${WHERE} FOR UPDATE`;
const WRITE_SQL = `UPDATE ${META_TABLE} SET value = ? ${WHERE}`;
const RESTORE_SQL =
  `INSERT INTO ${META_TABLE} (\`key\`, value) VALUES ('${WRITTEN_BY_KEY}', 'unknown') ` +
  "ON DUPLICATE KEY UPDATE value = 'unknown'";

/**
 * Makes the COMMIT of this transaction flush the redo log, up to its own end and so all that it has
 * seen: changes a row of agenttier_meta and changes it back.
 *
 * @throws {StoreError} transient whatever the server says: no record is at fault
 */
export async function forceFlush(session: Session): Promise<void> {
  try {
    const { rows } = await session.execute(READ_SQL);
    const before = rows[0]?.[0] ?? null;
    if (before === null) {
      // Somebody emptied it; making it anew is a change as well.
      await session.execute(RESTORE_SQL);
      return;
    }
    await session.execute(WRITE_SQL, [before === '' ? '-' : '']);
    await session.execute(WRITE_SQL, [before]);
  } catch (error) {
    throw serverError('flush the log', error);
  }
}
