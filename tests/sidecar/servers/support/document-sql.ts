import { readFile } from 'node:fs/promises';

const DOCUMENT = new URL('../../../../docs/databases.md', import.meta.url);

/**
 * The SQL that docs/databases.md gives in one of its sections, statement by statement.
 *
 * @param which counts from 0, where a section has several blocks for a server
 */
export async function documentedSql(
  section: string,
  server: 'Postgres' | 'MySQL',
  which = 0,
): Promise<string[]> {
  const text = await readFile(DOCUMENT, 'utf8');
  const body = text.split(/^## /m).find((part) => part.startsWith(`${section}\n`));
  if (body === undefined) throw new Error(`docs/databases.md has no section ${section}`);
  // The paragraph before a block begins with the server's name.
  const blocks = body.matchAll(
    /^(Postgres|MySQL)\b(?:(?!\n\n)[\s\S])*\n\n```sql\n([\s\S]*?)^```$/gm,
  );
  const own = [...blocks].filter(([, name]) => name === server);
  const sql = own[which]?.[2];
  if (sql === undefined) throw new Error(`${section} has no block for ${server}`);
  return sql
    .split(/;\n/)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');
}
