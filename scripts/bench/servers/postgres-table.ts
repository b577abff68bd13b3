import type { Client } from 'pg';
import { ACTORS, type LargeTable, SANDBOXES } from './lists.ts';

/** The audit table of Postgres. */
export function postgresTable(client: Client): LargeTable {
  return {
    async fill(rows) {
      await client.query('TRUNCATE audit_events');
      await client.query(
        `INSERT INTO audit_events (ts, actor, action, resource, sandbox_id, details, event_id)
SELECT to_char(timestamp '2026-01-01' + n * interval '1 ms', 'YYYY-MM-DD"T"HH24:MI:SS.US"000Z"'),
  'user-' || n * 7919::bigint % ${ACTORS} || '@example.com', 'exec', 'sandbox',
  'sbx-' || n * 104729::bigint % ${SANDBOXES}, '{"command":"npm test","exit_code":0,"n":' || n || '}',
  md5(n::text)::uuid::text
FROM generate_series(1, $1::int) n`,
        [rows],
      );
      await client.query('VACUUM ANALYZE audit_events');
    },

    async eventAt(number) {
      const { rows } = await client.query<Record<'ts' | 'id' | 'actor' | 'sandbox_id', string>>(
        'SELECT ts, id::text, actor, sandbox_id FROM audit_events WHERE event_id = md5($1)::uuid::text',
        [String(number)],
      );
      const [row] = rows;
      if (row === undefined) throw new Error(`there is no event ${number}`);
      return { place: { ts: row.ts, id: row.id }, actor: row.actor, sandbox: row.sandbox_id };
    },

    ping: () => client.query('SELECT 1'),
  };
}
