import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import type { Connection } from '../../../sidecar/src/stores/sqlite/engine/connection.ts';
import { FaultFiles } from '../support/fault-files.ts';
import { CUT_MODES, type CutState, PowerCutDisk } from '../support/power-cut.ts';
import { query, value } from '../support/query.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { openWal } from './open-wal.ts';
import { testDirectory } from './test-directory.ts';

const DIRECTORY = '/disk';
const PATH = `${DIRECTORY}/a.db`;
const CREATE = 'CREATE TABLE IF NOT EXISTS t(n INTEGER PRIMARY KEY, a TEXT UNIQUE)';

const open = (disk: PowerCutDisk<number>, pragmas = 'PRAGMA cache_size=10') =>
  openWal({ path: PATH, files: disk.files }, pragmas);

function commit(connection: Connection, from: number, to: number): void {
  connection.exec('BEGIN');
  const insert = connection.prepare(
    "INSERT OR IGNORE INTO t VALUES(?1, printf('%0250d', ?1 * 7919 % 10007))",
  );
  for (let n = from; n <= to; n++) {
    insert.bindDouble(1, n);
    insert.run();
  }
  insert.finalize();
  connection.exec('COMMIT');
}

/** Ends a transaction, if SQLite has not. */
function rollBack(connection: Connection): void {
  try {
    connection.exec('ROLLBACK');
  } catch {
    // There is none.
  }
}

/** Creation, commits of many sizes, checkpoints, a log that starts over, close, and again. */
async function workload(disk: PowerCutDisk<number>): Promise<void> {
  let n = 0;
  for (const rounds of [12, 8]) {
    const connection = await open(disk);
    connection.exec(CREATE);
    for (let round = 0; round < rounds; round++) {
      const size = [1, 1, 3, 40, 1, 90][round % 6] as number;
      commit(connection, n + 1, n + size);
      n += size;
      disk.acknowledge(n);
      if (round % 4 === 3) {
        query(connection, `PRAGMA wal_checkpoint(${round % 8 === 3 ? 'PASSIVE' : 'TRUNCATE'})`);
      }
    }
    connection.close();
  }
}

/** Why a state breaks the promise; undefined when it keeps it. */
function judge(state: CutState<number>, integrity: unknown, count: number): string | undefined {
  if (integrity !== 'ok') return `${state}: ${integrity}`;
  const acknowledged = state.acknowledged ?? 0;
  return count < acknowledged ? `${state}: ${count} of ${acknowledged}` : undefined;
}

async function judgeByOurs(state: CutState<number>): Promise<string | undefined> {
  try {
    const connection = await openWal({ path: PATH, files: state.files() });
    connection.exec(CREATE);
    const integrity = value(connection, 'PRAGMA integrity_check');
    const count = Number(value(connection, 'SELECT count(*) FROM t'));
    connection.close();
    return judge(state, integrity, count);
  } catch (error) {
    return `${state}: ${error}`;
  }
}

function judgeByNodes(state: CutState<number>, directory: string): string | undefined {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  state.writeTo(directory);
  try {
    const database = new DatabaseSync(join(directory, 'a.db'));
    database.exec(`PRAGMA synchronous=OFF; ${CREATE}`);
    const integrity = database.prepare('PRAGMA integrity_check').get()?.integrity_check;
    const count = Number(database.prepare('SELECT count(*) AS n FROM t').get()?.n);
    database.close();
    return judge(state, integrity, count);
  } catch (error) {
    return `${state}: ${error}`;
  }
}

describe('a power cut at any point', () => {
  test.each(CUT_MODES)(
    'loses no acknowledged commit and leaves a sound file, unsynced writes %s',
    async (mode) => {
      const disk = new PowerCutDisk<number>();
      await workload(disk);
      const directory = join(testDirectory(), 'image');
      const seen = new Set<string>();
      let states = 0;
      for (const state of disk.cuts({ modes: [mode] })) {
        states += 1;
        if (seen.has(state.fingerprint)) continue;
        seen.add(state.fingerprint);
        // Alternately by each, so that neither's leniency hides a fault.
        const byOurs = seen.size % 4 === 0;
        const problem = byOurs ? await judgeByOurs(state) : judgeByNodes(state, directory);
        expect(problem).toBeUndefined();
      }
      expect(states).toBeGreaterThan(250);
    },
  );

  test('is found out by this very test where nothing is synced', async () => {
    const disk = new PowerCutDisk<number>([], { honest: false });
    await workload(disk);
    const directory = join(testDirectory(), 'image');
    const problems = new Set<string>();
    for (const state of disk.cuts({ every: 7 })) {
      if (judgeByNodes(state, directory) !== undefined) problems.add(state.mode);
    }
    expect([...problems].sort()).toEqual(['lost', 'random', 'torn']);
  });

  test('loses nothing where a volume was full before, and the connection went on', async () => {
    const disk = new PowerCutDisk<number>();
    const faults = new FaultFiles(disk.files);
    const path = /-wal$/;
    const random = seededRandom(11);
    const below = (n: number) => Math.floor(random() * n);
    // One that spills pages before the commit reads them back, which ends trust where they are lost.
    const begin = (pragmas = '') => openWal({ path: PATH, files: faults.files }, pragmas);
    let connection = await begin();
    connection.exec(CREATE);
    let n = 0;
    let wentOn = 0;
    for (let round = 0; round < 90; round++) {
      if (round % 3 === 0) {
        faults.inject({
          call: 'write',
          path,
          after: below(2),
          short: (length) => random() * length,
        });
        faults.inject({ call: 'write', path, code: 'ENOSPC', times: 1 + below(3) });
      }
      const size = 1 + below(round % 9 === 0 ? 200 : 20);
      try {
        commit(connection, n + 1, n + size);
        n += size;
        disk.acknowledge(n);
      } catch (error) {
        faults.heal();
        if (connection.sound) {
          expect(error).toMatchObject({ hostCode: 'ENOSPC' });
          rollBack(connection);
          wentOn += 1;
        } else {
          connection.close();
          connection = await begin(round % 2 === 0 ? 'PRAGMA cache_size=10' : '');
        }
      }
      faults.heal();
      expect(Number(value(connection, 'SELECT count(*) FROM t'))).toBe(n);
      if (round % 7 === 6) query(connection, 'PRAGMA wal_checkpoint(PASSIVE)');
    }
    expect(wentOn).toBeGreaterThan(8);
    connection.close();
    const directory = join(testDirectory(), 'image');
    for (const state of disk.cuts({ every: 3, modes: ['lost', 'torn'] })) {
      expect(judgeByNodes(state, directory)).toBeUndefined();
    }
  });

  test('during the recovery from an earlier cut loses nothing either', async () => {
    const disk = new PowerCutDisk<number>();
    await workload(disk);
    const directory = join(testDirectory(), 'image');
    let states = 0;
    for (const first of disk.cuts({ every: 37, modes: ['torn'] })) {
      const second = first.disk<number>();
      second.acknowledge(first.acknowledged ?? 0);
      const connection = await open(second);
      connection.exec(CREATE);
      query(connection, 'PRAGMA wal_checkpoint(TRUNCATE)');
      connection.close();
      for (const state of second.cuts({ modes: ['random', 'torn'], seed: first.at })) {
        states += 1;
        expect(judgeByNodes(state, directory)).toBeUndefined();
      }
    }
    expect(states).toBeGreaterThan(100);
  });
});

describe('a commit whose sync failed, and which the kernel shows but never writes', () => {
  test.each(['', 'PRAGMA wal_checkpoint(TRUNCATE)', 'PRAGMA wal_checkpoint(PASSIVE)'])(
    'is durable when a retry finds it stored (%s)',
    async (afterOpening) => {
      const disk = new PowerCutDisk<number>();
      const first = await open(disk);
      first.exec(CREATE);
      commit(first, 1, 5);
      disk.failNextSync((path) => path.endsWith('-wal'));
      expect(() => commit(first, 6, 10)).toThrow();
      expect(first.sound).toBe(false);
      first.close();
      const second = await open(disk);
      second.exec(afterOpening);
      expect(value(second, 'SELECT count(*) FROM t')).toBe('10');
      commit(second, 6, 10);
      disk.acknowledge(10);
      second.close();
      for (const state of disk.cuts()) expect(await judgeByOurs(state)).toBeUndefined();
    },
  );
});
