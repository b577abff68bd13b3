import { copyFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { KINDS } from './kinds.ts';

const UPSTREAM = fileURLToPath(new URL('../../fixtures/upstream-0.8.1.db', import.meta.url));

/**
 * Writes a file as AgentTier 0.8.1 does: its schema, no indexes, times with trimmed zeros.
 *
 * @param rows of each table; those of upstream's own file, repeated
 */
export function writeUpstreamFile(path: string, rows: number): void {
  copyFileSync(UPSTREAM, path);
  const database = new DatabaseSync(path);
  try {
    for (const { table } of KINDS) {
      const columns = database
        .prepare(`SELECT name FROM pragma_table_info('${table}') WHERE name <> 'id'`)
        .all()
        .map((row) => String(row.name))
        .join(', ');
      database.exec(`
        WITH RECURSIVE copy(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copy WHERE n <= ${rows} / 240)
        INSERT INTO ${table} (${columns}) SELECT ${columns} FROM ${table}, copy
          LIMIT ${rows} - (SELECT count(*) FROM ${table});
      `);
    }
  } finally {
    database.close();
  }
}
