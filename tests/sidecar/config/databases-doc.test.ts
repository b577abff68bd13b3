import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { MYSQL_KEYS } from '../../../sidecar/src/config/dsn/mysql-keys.ts';
import { POSTGRES_KEYS } from '../../../sidecar/src/config/dsn/postgres-keys.ts';
import { ddl, keyTable } from './databases-doc.ts';

const document = readFileSync(new URL('../../../docs/databases.md', import.meta.url), 'utf8');

it('docs/databases.md has every key of a DSN, and what becomes of it', () => {
  expect(document).toContain(keyTable(POSTGRES_KEYS));
  expect(document).toContain(keyTable(MYSQL_KEYS));
});

it('docs/databases.md has the tables as they are made', () => {
  expect(document).toContain(ddl());
});
