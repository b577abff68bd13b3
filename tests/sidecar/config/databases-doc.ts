import type { KeyRule } from '../../../sidecar/src/config/dsn/key-rules.ts';
import { KINDS } from '../../../sidecar/src/records/kinds.ts';
import * as mysql from '../../../sidecar/src/stores/mysql/ddl.ts';
import * as postgres from '../../../sidecar/src/stores/postgres/ddl.ts';

/** The table of keys as docs/databases.md has it. */
export function keyTable(rules: readonly KeyRule[]): string {
  const rows = rules.map(({ names, fate, why, harmless }) => {
    const except = harmless?.filter((value) => value !== '').map((value) => `\`${value}\``);
    const but = except?.length ? ` (without a word: ${except.join(', ')})` : '';
    return `| ${names.map((name) => `\`${name}\``).join(', ')} | ${fate} | ${why}${but} |`;
  });
  return ['| key | fate | what it does, or why not |', '|---|---|---|', ...rows].join('\n');
}

/** The tables of both dialects as docs/databases.md has them. */
export function ddl(): string {
  const names = new postgres.Names(undefined);
  const ofPostgres = KINDS.flatMap((kind) => [
    postgres.createTableSql(kind, names),
    ...postgres.indexesOf(kind).map((index) => postgres.createIndexSql(kind, index, names)),
  ]);
  const ofMysql = KINDS.map((kind) => mysql.createTableSql(kind, 'utf8mb4_0900_bin'));
  const sql = (statements: string[]) => `\`\`\`sql\n${statements.join(';\n')};\n\`\`\``;
  const second = 'MySQL; on MariaDB the collation is `utf8mb4_nopad_bin`:';
  return `Postgres:\n\n${sql([postgres.createMetaSql(names), ...ofPostgres])}\n\n${second}\n\n${sql([mysql.CREATE_META_SQL, ...ofMysql])}`;
}
