import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { requireProgram } from '../support/require-program.ts';
import { startSidecar } from '../support/sidecar-process.ts';
import { until } from '../support/sqlite-store.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { Load } from './support/load.ts';
import { idsInFile, listedIds, missing } from './support/stored.ts';

const run = promisify(execFile);

const NODE_PROGRAM = `
const { DatabaseSync } = require('node:sqlite');
const database = new DatabaseSync(process.argv[1]);
for (const row of database.prepare(process.argv[2]).all()) console.log(Object.values(row).join('|'));
database.close();`;

type OtherSqlite = (path: string, sql: string) => Promise<string>;

const others: [string, OtherSqlite][] = [
  [
    'node:sqlite',
    async (path, sql) =>
      (await run(process.execPath, ['-e', NODE_PROGRAM, path, sql])).stdout.trim(),
  ],
  ['the sqlite3 program', async (path, sql) => (await run('sqlite3', [path, sql])).stdout.trim()],
];

it.concurrent.for(others)(
  '%s reads live rows while the sidecar writes, and cannot harm the file',
  {
    timeout: 60_000,
  },
  async ([name, sqlite]) => {
    if (name.includes('program')) await requireProgram('sqlite3', 'sqlite3');
    await using directory = await temporaryDirectory();
    const path = directory.path('data', 'agenttier.db');
    await using sidecar = await startSidecar({ STORAGE_SQLITE_PATH: path });
    await sidecar.storage('up');
    const load = new Load(sidecar.api, { prefix: 'l', durable: 3 });
    for (let round = 0; round < 4; round += 1) {
      const known = load.durable.size;
      await until(() => load.durable.size > known + 20);
      const atLeast = load.durable.size;
      // A reader may meet the log at the moment in which it begins anew, and then reads again.
      await until(async () => {
        const count = await sqlite(
          path,
          `SELECT (SELECT count(*) FROM audit_events) + (SELECT count(*) FROM sandbox_events)
              + (SELECT count(*) FROM cost_snapshots)`,
        ).catch(() => '0');
        return Number(count) >= atLeast;
      });
      for (const sql of [
        "INSERT INTO audit_events (ts, actor) VALUES ('x', 'y')",
        'DELETE FROM cost_snapshots',
        'DROP TABLE sandbox_events',
        'VACUUM',
      ]) {
        await expect(sqlite(path, sql), sql).rejects.toThrow(/readonly|locked|malformed|unable/);
      }
      await sqlite(path, 'PRAGMA wal_checkpoint(TRUNCATE)').catch(() => {});
      await sqlite(path, 'PRAGMA journal_mode = DELETE').catch(() => {});
    }
    await load.stop();
    expect(load.strange).toEqual([]);
    const listed = await listedIds(sidecar.api);
    expect(missing(load.durable, listed)).toEqual([]);
    expect((await sidecar.readiness()).warnings).toEqual([]);
    expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
    expect(readdirSync(directory.path('data'))).toEqual(['agenttier.db']);
    expect(idsInFile(path).sort()).toEqual(listed.sort());
  },
);
