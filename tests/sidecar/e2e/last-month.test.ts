import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { AUDIT_EVENT, COST_SNAPSHOT } from '../../../sidecar/src/records/kinds.ts';
import { open, rowsOf, temporaryPath, withNodeSqlite } from '../sqlite-database/harness.ts';

/** The statement of the README's section. */
function question(): string {
  const readme = readFileSync(
    fileURLToPath(new URL('../../../README.md', import.meta.url)),
    'utf8',
  );
  const section = readme
    .split(/^## /m)
    .find((part) => part.startsWith('Who created which sandbox'));
  const sql = /```sql\n([\s\S]*?)```/.exec(section ?? '')?.[1];
  if (sql === undefined) throw new Error('the README has no such statement');
  return sql;
}

it('answers who created which sandbox last month, one by one or in bulk, and what it cost', async () => {
  const path = temporaryPath();
  const database = await open(path);
  const now = new Date();
  const month = (back: number, day: number) =>
    new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - back, day))
      .toISOString()
      .replace('.000Z', '.000000000Z');
  const created = (actor: string, action: string, sandbox_id: string, ts: string) => ({
    ...{ actor, action, sandbox_id, ts, resource: 'sandbox' },
  });
  const cost = (sandbox_id: string, estimated_usd: number, ts: string) => ({
    ...{ sandbox_id, estimated_usd, ts, cpu_hours: 1 },
  });
  database.append(
    rowsOf(AUDIT_EVENT, [
      created('ana', 'create', 'sbx-1', month(1, 1)),
      created('ben', 'bulk.create', 'sbx-2', month(1, 2)),
      created('cem', 'stop', 'sbx-1', month(1, 3)),
      created('dan', 'create', 'sbx-3', month(0, 1)),
      created('eva', 'create', 'sbx-4', month(2, 28)),
    ]),
  );
  database.append(
    rowsOf(COST_SNAPSHOT, [
      cost('sbx-1', 1.25, month(1, 2)),
      cost('sbx-1', 1.25, month(1, 3)),
      cost('sbx-1', 9, month(0, 1)),
      cost('sbx-2', 4, month(1, 2)),
    ]),
  );
  database.close();
  const rows = withNodeSqlite(path, (other) => other.prepare(question()).all());
  expect(
    rows.map(({ actor, sandbox_id, usd, cpu_hours }) => [actor, sandbox_id, usd, cpu_hours]),
  ).toEqual([
    ['ben', 'sbx-2', '4.00', '1.0'],
    ['ana', 'sbx-1', '2.50', '2.0'],
  ]);
});
