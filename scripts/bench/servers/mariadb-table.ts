import { ACTORS, type LargeTable, SANDBOXES } from './lists.ts';
import type { RawClient } from './mariadb-client.ts';

/** Rows of one statement that fills the table. */
const PART = 100_000;

/** The audit table of MariaDB. */
export function mariadbTable(client: RawClient): LargeTable {
  return {
    async fill(rows) {
      await client.execute('TRUNCATE TABLE audit_events');
      for (let first = 1; first <= rows; first += PART) {
        const last = Math.min(rows, first + PART - 1);
        await client.execute(
          `INSERT INTO audit_events (ts, actor, action, resource, sandbox_id, details, event_id)
SELECT date_format(TIMESTAMP'2026-01-01 00:00:00' + INTERVAL seq * 1000 MICROSECOND, '%Y-%m-%dT%H:%i:%s.%f000Z'),
  concat('user-', seq * 7919 % ${ACTORS}, '@example.com'), 'exec', 'sandbox',
  concat('sbx-', seq * 104729 % ${SANDBOXES}),
  concat('{"command":"npm test","exit_code":0,"n":', seq, '}'), concat('event-', seq)
FROM seq_${first}_to_${last}`,
        );
      }
    },

    async eventAt(number) {
      const [row] = await client.execute(
        'SELECT ts, id, actor, sandbox_id FROM audit_events WHERE event_id = ?',
        [`event-${number}`],
      );
      if (row === undefined) throw new Error(`there is no event ${number}`);
      const [ts = '', id = '', actor = '', sandbox = ''] = row.map(String);
      return { place: { ts, id }, actor, sandbox };
    },

    ping: () => client.execute('SELECT 1'),
  };
}
