import { copyFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { seededRandom } from '../support/seeded-random.ts';
import { startSidecar } from '../support/sidecar-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { KINDS, records } from './support/kinds.ts';
import { copyDatabase, idsInFile, listAll } from './support/stored.ts';
import { writeUpstreamFile } from './support/upstream-file.ts';

const UPSTREAM = fileURLToPath(new URL('../fixtures/upstream-0.8.1.db', import.meta.url));
const NINE_DIGITS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/;

/** Rows of a table, with the times as they must be stored. */
function rowsOf(path: string, table: string): Record<string, unknown>[] {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    return database
      .prepare(`SELECT * FROM ${table} ORDER BY id`)
      .all()
      .map((row) => ({ ...row, id: String(row.id), ts: nineDigits(String(row.ts)) }));
  } finally {
    database.close();
  }
}

/** `46Z` and `46.5Z` as `46.000000000Z` and `46.500000000Z`. */
function nineDigits(ts: string): string {
  const [seconds = '', fraction = ''] = ts.replace('Z', '').split('.');
  return `${seconds}.${fraction.padEnd(9, '0')}Z`;
}

it.concurrent("upstream's file is adopted in place: all rows over HTTP as they were, new ones beside them", async () => {
  await using directory = await temporaryDirectory();
  const path = directory.path('agenttier.db');
  copyFileSync(UPSTREAM, path);
  await using sidecar = await startSidecar({ STORAGE_SQLITE_PATH: path });
  await sidecar.storage('up');
  for (const kind of KINDS) {
    const before = rowsOf(UPSTREAM, kind.table);
    expect(before).toHaveLength(240);
    const items = await listAll(sidecar.api, kind.path, '&order=asc');
    expect(items.every(({ ts }) => NINE_DIGITS.test(ts))).toBe(true);
    const byId = items.toSorted((a, b) => Number(a.id) - Number(b.id));
    expect(byId).toEqual(before.map((row) => ({ ...row, event_id: null })));

    const response = await fetch(sidecar.api + kind.path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Prefer: 'wait=30' },
      body: JSON.stringify(records(kind, 'new', 3)),
    });
    expect(response.status).toBe(201);
    const ids = (await listAll(sidecar.api, kind.path)).map(({ id }) => Number(id));
    expect(ids).toHaveLength(243);
    expect(Math.max(...ids)).toBe(243);
  }
  expect((await sidecar.stop()).code).toBe(0);
  expect(readdirSync(directory.root)).toEqual(['agenttier.db']);
  expect(idsInFile(path)).toHaveLength(729);
});

it.concurrent('an adoption that is killed again and again is completed by the next start', {
  timeout: 120_000,
}, async () => {
  await using directory = await temporaryDirectory();
  const original = directory.path('original.db');
  writeUpstreamFile(original, 70_000);
  mkdirSync(directory.path('data'));
  const path = directory.path('data', 'agenttier.db');
  const env = { STORAGE_SQLITE_PATH: path };

  // How long it takes here, so that the kills fall into it.
  copyFileSync(original, path);
  let tookMs: number;
  {
    const startedAt = performance.now();
    await using sidecar = await startSidecar(env);
    await sidecar.storage('up', 60_000);
    tookMs = performance.now() - startedAt;
    await sidecar.kill();
  }

  const random = seededRandom(4);
  let unfinished = 0;
  resetTo(original, path);
  for (let kill = 0; kill < 6; kill += 1) {
    await using sidecar = await startSidecar(env, { wait: 'nothing' });
    await sleep(tookMs * (0.2 + 0.7 * random()));
    await sidecar.kill();
    const copy = new DatabaseSync(copyDatabase(path, directory.path(`copy-${kill}`)));
    const adopted = copy
      .prepare("SELECT count(*) AS n FROM sqlite_schema WHERE name = 'agenttier_meta'")
      .get();
    expect(copy.prepare('SELECT count(*) AS n FROM audit_events').get()).toEqual({ n: 70_000 });
    copy.close();
    if (adopted?.n === 0) unfinished += 1;
    else resetTo(original, path);
  }
  expect(unfinished).toBeGreaterThan(0);

  await using sidecar = await startSidecar(env);
  await sidecar.storage('up', 60_000);
  expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
  expect(readdirSync(directory.path('data'))).toEqual(['agenttier.db']);
  expect(differences(original, path)).toEqual([0, 0, 0]);
  const events = idsInFile(path);
  expect(events).toHaveLength(210_000);
  expect(new Set(events)).toEqual(new Set(['null']));
});

/** Puts the original in the place of a database, and takes away what lies beside that. */
function resetTo(original: string, path: string): void {
  for (const suffix of ['-wal', '-journal', '-shm', '.lock']) {
    rmSync(path + suffix, { recursive: true, force: true });
  }
  copyFileSync(original, path);
}

/** Rows that an adoption lost, added or changed beyond the form of their time, a table each. */
function differences(original: string, adopted: string): number[] {
  const database = new DatabaseSync(adopted);
  try {
    database.prepare('ATTACH ? AS original').run(original);
    return KINDS.map(({ table }) => {
      const columns = database
        .prepare(`SELECT name FROM pragma_table_info('${table}', 'original') WHERE name <> 'ts'`)
        .all()
        .map((row) => String(row.name))
        .join(', ');
      const was = `SELECT ${columns}, ${NINE_DIGITS_SQL} FROM original.${table}`;
      const is = `SELECT ${columns}, ts FROM main.${table}`;
      const row = database
        .prepare(
          `SELECT (SELECT count(*) FROM (${was} EXCEPT ${is}))
                + (SELECT count(*) FROM (${is} EXCEPT ${was})) AS n`,
        )
        .get();
      return Number(row?.n);
    });
  } finally {
    database.close();
  }
}

const NINE_DIGITS_SQL = `CASE instr(ts, '.')
  WHEN 0 THEN substr(ts, 1, 19) || '.000000000Z'
  ELSE substr(rtrim(ts, 'Z') || '000000000', 1, 29) || 'Z' END`;
