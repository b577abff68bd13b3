import { afterAll, beforeAll, expect, it } from 'vitest';
import { AUDIT_EVENT, COST_SNAPSHOT } from '../../../sidecar/src/records/kinds.ts';
import { readAll, rowsOf, storeOn } from '../mysql/harness.ts';
import { type MariadbServer, startMariadb } from '../support/mariadb-server.ts';
import { PASSWORD, PostgresServer } from '../support/postgres-server.ts';
import { storeAt } from '../support/postgres-store.ts';
import { startSidecar } from '../support/sidecar-process.ts';
import { documentedSql } from './support/document-sql.ts';
import { expectRoundTrip } from './support/round-trip.ts';

let postgres: PostgresServer;
let mariadb: MariadbServer;
beforeAll(async () => {
  postgres = await PostgresServer.start({ version: 15 });
  mariadb = await startMariadb();
});
afterAll(async () => {
  await postgres?.[Symbol.asyncDispose]();
  await mariadb?.[Symbol.asyncDispose]();
});

const onPostgres = async (database: string, statements: readonly string[]) => {
  let rows: Record<string, unknown>[] = [];
  for (const statement of statements) rows = await postgres.query(statement, database);
  return rows; // of the last
};
const onMariadb = async (database: string, statements: readonly string[]) => {
  let rows: Record<string, unknown>[] = [];
  for (const statement of statements) {
    rows = await mariadb.sql(statement.replaceAll('0900_bin', 'nopad_bin'), database);
  }
  return rows;
};

/** Tables as a program of others makes them; and times as Go writes them. */
const foreign = (id: string) =>
  [
    'audit_events|actor TEXT, action TEXT, resource TEXT, sandbox_id TEXT, details TEXT',
    'sandbox_events|sandbox_id TEXT, sandbox_name TEXT, namespace TEXT, phase TEXT, reason TEXT, message TEXT',
    'cost_snapshots|sandbox_id TEXT, namespace TEXT, cpu_hours DOUBLE PRECISION, mem_gb_hours DOUBLE PRECISION, estimated_usd DOUBLE PRECISION',
  ].flatMap((each) => {
    const [table, columns] = each.split('|');
    return [
      `CREATE TABLE ${table} (id ${id} PRIMARY KEY, ts TEXT NOT NULL, ${columns})`,
      `INSERT INTO ${table} (ts, sandbox_id) VALUES ('2026-11-23T09:41:46.5Z', 'Sbx'),
        ('2026-11-23T09:41:46Z', 'sbx'), ('2026-11-23T09:41:46.123456789Z', 'sbx ')`,
    ];
  });

const SORTED = [
  ['2', '2026-11-23T09:41:46.000000000Z'],
  ['3', '2026-11-23T09:41:46.123456789Z'],
  ['1', '2026-11-23T09:41:46.500000000Z'],
];

it('converts the tables of another program as documented, on Postgres', async () => {
  const database = await postgres.createDatabase();
  await onPostgres(database, foreign('BIGSERIAL'));
  const store = storeAt(postgres.dsn(database));
  try {
    await expect(store.open()).rejects.toThrow();
    await postgres.query('ALTER TABLE audit_events ALTER ts DROP NOT NULL', database);
    const sql = await documentedSql('Tables of another program', 'Postgres');
    expect(await onPostgres(database, sql)).toEqual([]);
    await store.open();
    expect(store.warnings?.().filter((warning) => !warning.includes('fsync'))).toEqual([]);
    const items = await readAll(store);
    expect(items.map(({ id, ts }) => [id, ts])).toEqual(SORTED);
    const one = await readAll(store, { filters: new Map([['sandbox_id', ['sbx']]]) });
    expect(one).toHaveLength(1);
    for (const kind of [AUDIT_EVENT, COST_SNAPSHOT]) await store.append(rowsOf(kind, 2));
  } finally {
    await store.close(AbortSignal.timeout(1_000));
  }
});

it('converts the tables of another program as documented, on MariaDB', async () => {
  const database = await mariadb.createDatabase();
  await onMariadb(database, foreign('BIGINT AUTO_INCREMENT'));
  await using store = storeOn(mariadb.dsn(database));
  await expect(store.open()).rejects.toThrow();
  const sql = await documentedSql('Tables of another program', 'MySQL');
  expect(await onMariadb(database, sql)).toEqual([]);
  await store.open();
  expect(store.warnings?.()).toEqual([]);
  expect((await readAll(store)).map(({ id, ts }) => [id, ts])).toEqual(SORTED);
  expect(await readAll(store, { filters: new Map([['sandbox_id', ['sbx']]]) })).toHaveLength(1);
  for (const kind of [AUDIT_EVENT, COST_SNAPSHOT]) await store.append(rowsOf(kind, 2));
});

it('records, prunes and reads with the rights as documented, on Postgres', async () => {
  const database = await postgres.createDatabase();
  const owner = storeAt(postgres.dsn(database));
  await owner.open();
  await postgres.createRole('agenttier');
  await onPostgres(database, await documentedSql('Rights', 'Postgres'));
  await using sidecar = await startSidecar({
    STORAGE_DSN: postgres.dsn(database, { user: 'agenttier' }),
  });
  await expectRoundTrip(sidecar);

  await owner.append(rowsOf(AUDIT_EVENT, 3, () => ({ ts: '2025-12-31T23:59:59.999999999Z' })));
  await owner.close(AbortSignal.timeout(1_000));
  await onPostgres(database, await documentedSql('Pruning', 'Postgres'));
  expect(await postgres.query('SELECT id FROM audit_events', database)).toHaveLength(1);

  await onPostgres(database, await documentedSql('BI tools and other programs', 'Postgres'));
  await postgres.query(`ALTER ROLE reader PASSWORD '${PASSWORD}'`);
  await postgres.query(LAST_MONTH_POSTGRES, database);
  const [question = ''] = await documentedSql('BI tools and other programs', 'Postgres', 1);
  const asReader = (sql: string) => postgres.query(`SET ROLE reader; ${sql}`, database);
  expect(await postgres.query(question, database)).toMatchObject([
    { actor: 'ana', sandbox_id: 'sbx-1', usd: 3, cpu_hours: 2 },
    { actor: 'ben', sandbox_id: 'sbx-2', usd: 0, cpu_hours: 0 },
  ]);
  await expect(asReader('DELETE FROM audit_events')).rejects.toThrow('permission denied');
});

const LAST_MONTH_POSTGRES = `
INSERT INTO audit_events (ts, actor, action, resource, sandbox_id)
  SELECT to_char(date_trunc('month', now() AT TIME ZONE 'UTC') - interval '3 days',
    'YYYY-MM-DD"T00:00:00.000000000Z"'), 'ana', 'create', 'sandbox', 'sbx-1';
INSERT INTO audit_events (ts, actor, action, resource, sandbox_id)
  SELECT max(ts), 'ben', 'bulk.create', 'sandbox', 'sbx-2' FROM audit_events WHERE actor = 'ana';
INSERT INTO cost_snapshots (ts, sandbox_id, estimated_usd, cpu_hours)
  SELECT max(ts), 'sbx-1', 1.5, 1 FROM audit_events WHERE actor = 'ana' UNION ALL
  SELECT max(ts), 'sbx-1', 1.5, 1 FROM audit_events WHERE actor = 'ana'`;

it('records, prunes and reads with the rights as documented, on MariaDB', async () => {
  await mariadb.sql('CREATE DATABASE agenttier; CREATE USER agenttier');
  await using owner = storeOn(mariadb.dsn('agenttier'));
  await owner.open();
  await onMariadb('agenttier', await documentedSql('Rights', 'MySQL'));
  await using sidecar = await startSidecar({ STORAGE_DSN: mariadb.dsn('agenttier', 'agenttier') });
  await expectRoundTrip(sidecar);

  await owner.append(rowsOf(AUDIT_EVENT, 3, () => ({ ts: '2025-12-31T23:59:59.999999999Z' })));
  await onMariadb('agenttier', await documentedSql('Pruning', 'MySQL'));
  expect(await mariadb.sql('SELECT id FROM agenttier.audit_events')).toHaveLength(1);

  await onMariadb('agenttier', await documentedSql('BI tools and other programs', 'MySQL'));
  await mariadb.sql(LAST_MONTH_MARIADB, 'agenttier');
  const [question = ''] = await documentedSql('BI tools and other programs', 'MySQL', 1);
  expect(await mariadb.sql(question, 'agenttier')).toMatchObject([
    { actor: 'ana', sandbox_id: 'sbx-1', usd: 3, cpu_hours: 2 },
    { actor: 'ben', sandbox_id: 'sbx-2', usd: 0, cpu_hours: 0 },
  ]);
  const grants = JSON.stringify(await mariadb.sql('SHOW GRANTS FOR reader'));
  expect(grants).toContain('GRANT SELECT ON `agenttier`.*');
  expect(grants).not.toMatch(/INSERT|UPDATE|DELETE/);
});

const LAST_MONTH_MARIADB = `
INSERT INTO audit_events (ts, actor, action, resource, sandbox_id) VALUES
  (DATE_FORMAT(UTC_DATE() - INTERVAL 1 MONTH, '%Y-%m-15T00:00:00.000000000Z'),
   'ana', 'create', 'sandbox', 'sbx-1');
INSERT INTO audit_events (ts, actor, action, resource, sandbox_id)
  SELECT MAX(ts), 'ben', 'bulk.create', 'sandbox', 'sbx-2' FROM audit_events WHERE actor = 'ana';
INSERT INTO cost_snapshots (ts, sandbox_id, estimated_usd, cpu_hours)
  SELECT ts, 'sbx-1', 1.5, 1 FROM audit_events WHERE actor = 'ana' UNION ALL
  SELECT ts, 'sbx-1', 1.5, 1 FROM audit_events WHERE actor = 'ana'`;
