import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Connection } from '../../../sidecar/src/stores/sqlite/engine/connection.ts';
import { type Fault, FaultFiles } from '../support/fault-files.ts';
import { MemoryFiles } from '../support/memory-files.ts';
import { query, value } from '../support/query.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { openWal } from './open-wal.ts';
import { testDirectory } from './test-directory.ts';

const CREATE = 'CREATE TABLE IF NOT EXISTS t(n INTEGER PRIMARY KEY, a TEXT); ';
const insert = (n: number) => `INSERT INTO t VALUES(${n}, printf('%0300d', ${n}))`;

/** What an operation came to: undefined, or the error. */
function attempt(work: () => void): { code: number; hostCode?: string } | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    expect(error).toHaveProperty('name', 'SqliteError');
    return error as { code: number };
  }
}

async function faulty(): Promise<{ faults: FaultFiles; path: string; connection: Connection }> {
  const faults = new FaultFiles();
  const path = join(testDirectory(), 'a.db');
  const connection = await openWal({ path, files: faults.files });
  connection.exec(CREATE + insert(1));
  return { faults, path, connection };
}

describe('the log cannot be written', () => {
  test('the commit fails with the host’s code, and goes on after opening anew', async () => {
    const { faults, path, connection } = await faulty();
    faults.inject({ call: 'write', path: /-wal$/, code: 'EIO', times: Infinity });
    expect(attempt(() => connection.exec(insert(2)))).toMatchObject({ hostCode: 'EIO' });
    // Gathered frames are lost: SQLite had them for written.
    expect(connection.sound).toBe(false);
    faults.heal();
    connection.close();
    expect(faults.openPaths).toEqual([]);
    const again = await openWal({ path });
    expect(query(again, 'SELECT n FROM t')).toEqual([['1']]);
    again.exec(insert(2));
    expect(value(again, 'PRAGMA integrity_check')).toBe('ok');
    again.close();
  });

  test.each(['ENOSPC', 'EDQUOT', 'EFBIG'])(
    'for want of room (%s): the commit is taken back, and the connection goes on',
    async (code) => {
      const { faults, path, connection } = await faulty();
      faults.inject({ call: 'write', path: /-wal$/, short: (length) => length / 2 });
      faults.inject({ call: 'write', path: /-wal$/, code, times: Infinity });
      for (let n = 2; n < 5; n++) {
        expect(attempt(() => connection.exec(insert(n)))).toMatchObject({ hostCode: code });
        expect(query(connection, 'SELECT n FROM t')).toEqual([['1']]);
      }
      expect(connection.sound).toBe(true);
      faults.heal();
      connection.exec(insert(5));
      expect(value(connection, 'PRAGMA integrity_check')).toBe('ok');
      connection.close();
      const again = await openWal({ path });
      expect(query(again, 'SELECT n FROM t')).toEqual([['1'], ['5']]);
      again.close();
    },
  );

  test('for want of room that a sync tells: it is opened anew', async () => {
    const { faults, connection } = await faulty();
    faults.inject({ call: 'sync', path: /-wal$/, code: 'ENOSPC' });
    expect(attempt(() => connection.exec(insert(2)))).toMatchObject({ hostCode: 'ENOSPC' });
    expect(connection.sound).toBe(false);
    connection.close();
  });

  test('short writes are completed', async () => {
    const { faults, path, connection } = await faulty();
    faults.inject({ call: 'write', short: (length) => length / 3, times: 50 });
    for (let n = 2; n < 30; n++) connection.exec(insert(n));
    query(connection, 'PRAGMA wal_checkpoint(TRUNCATE)');
    connection.close();
    expect(faults.fired).toBe(50);
    expect(connection.sound).toBe(true);
    const again = await openWal({ path });
    expect(value(again, 'SELECT count(*) FROM t')).toBe('29');
    expect(value(again, 'PRAGMA integrity_check')).toBe('ok');
    again.close();
  });
});

describe('a sync fails', () => {
  test('of the log: nothing is written from then on, close leaves the log for the next', async () => {
    const { faults, path, connection } = await faulty();
    faults.inject({ call: 'sync', path: /-wal$/, code: 'EIO' });
    expect(attempt(() => connection.exec(insert(2)))).toMatchObject({ code: 10, hostCode: 'EIO' });
    expect(connection.sound).toBe(false);
    faults.forgetCounts();
    expect(attempt(() => connection.exec(insert(3)))).toBeDefined();
    connection.close();
    for (const call of ['write', 'truncate', 'sync', 'unlink'] as const) {
      expect(faults.count(call)).toBe(0);
    }
    expect(statSync(`${path}-wal`).size).toBeGreaterThan(0);
    const again = await openWal({ path });
    expect(query(again, 'SELECT n FROM t')[0]).toEqual(['1']);
    again.close();
  });

  test('of the database in a checkpoint: the log is kept, even by close', async () => {
    const { faults, path, connection } = await faulty();
    faults.inject({ call: 'sync', path: /\.db$/, code: 'EIO' });
    expect(attempt(() => query(connection, 'PRAGMA wal_checkpoint(TRUNCATE)'))).toMatchObject({
      code: 10,
      hostCode: 'EIO',
    });
    expect(connection.sound).toBe(false);
    connection.close();
    expect(statSync(`${path}-wal`).size).toBeGreaterThan(0);
    const again = await openWal({ path });
    expect(query(again, 'SELECT n FROM t')).toEqual([['1']]);
    again.close();
  });

  test('slowly, or late: a slow one is only slow', async () => {
    const { faults, connection } = await faulty();
    faults.inject({ call: 'sync', delayMs: 50 });
    connection.exec(insert(2));
    expect(faults.fired).toBe(1);
    expect(connection.sound).toBe(true);
    connection.close();
  });
});

describe('whatever the host throws', () => {
  const odd: Record<string, unknown> = {
    'a TypeError': new TypeError('not a function'),
    'an unknown code': Object.assign(new Error('odd'), { code: 'EODD' }),
    'a code that is a property of every object': Object.assign(new Error(), { code: 'toString' }),
    nothing: undefined,
    null: null,
    'a string': 'odd',
  };
  test.each(Object.entries(odd))(
    '%s becomes an I/O error and ends trust',
    async (_name, thrown) => {
      const { faults, connection } = await faulty();
      query(connection, 'PRAGMA wal_checkpoint(TRUNCATE)');
      // `throws: undefined` would mean no error at all.
      const throws = thrown === undefined ? Promise.reject : thrown;
      faults.inject({ call: 'truncate', throws });
      faults.inject({ call: 'write', throws, times: Infinity });
      const failure = attempt(() => connection.exec(insert(2)));
      expect(failure?.code).toBe(10);
      expect(connection.sound).toBe(false);
      connection.close();
      expect(faults.openPaths).toEqual([]);
    },
  );

  test('a plain error of a read is told with its code, and the connection goes on', async () => {
    const { faults, path, connection } = await faulty();
    connection.close();
    const again = await openWal({ path, files: faults.files });
    faults.inject({ call: 'read', path: /\.db$/, code: 'EIO' });
    expect(attempt(() => query(again, 'SELECT a FROM t'))).toMatchObject({
      code: 10,
      hostCode: 'EIO',
    });
    expect(again.sound).toBe(true);
    expect(query(again, 'SELECT n FROM t')).toEqual([['1']]);
    again.close();
  });

  test('a full volume in a checkpoint is told as such, and heals', async () => {
    const { faults, connection } = await faulty();
    faults.inject({ call: 'write', path: /\.db$/, code: 'ENOSPC' });
    expect(attempt(() => query(connection, 'PRAGMA wal_checkpoint(TRUNCATE)'))).toMatchObject({
      code: 13,
      hostCode: 'ENOSPC',
    });
    expect(connection.sound).toBe(true);
    expect(query(connection, 'PRAGMA wal_checkpoint(TRUNCATE)', 3)).toEqual([['0', '0', '0']]);
    connection.close();
  });

  test('a journal that is not there is no failure to report', async () => {
    const { connection } = await faulty();
    const failure = attempt(() => connection.exec(insert(1)));
    expect(failure).toMatchObject({ code: 19, hostCode: undefined });
    connection.close();
  });
});

test('beforeWrite forbids every change from the moment it throws', async () => {
  const counted = new FaultFiles();
  const path = join(testDirectory(), 'a.db');
  let allowed = true;
  const connection = await openWal({
    path,
    files: counted.files,
    beforeWrite() {
      if (!allowed) throw Object.assign(new Error('lock lost'), { code: 'ELOCKLOST' });
    },
  });
  connection.exec(CREATE + insert(1));
  allowed = false;
  counted.forgetCounts();
  expect(attempt(() => connection.exec(insert(2)))).toMatchObject({ hostCode: 'ELOCKLOST' });
  expect(connection.sound).toBe(false);
  allowed = true;
  expect(attempt(() => connection.exec(insert(2)))).toBeDefined();
  connection.close();
  for (const call of ['write', 'truncate', 'sync', 'unlink', 'syncDirectory'] as const) {
    expect(counted.count(call)).toBe(0);
  }
});

test('an acknowledged commit outlives any single fault, wherever it strikes', async () => {
  const calls = [
    'open',
    'read',
    'write',
    'truncate',
    'sync',
    'close',
    'stat',
    'unlink',
    'access',
    'syncDirectory',
    'exists',
    'lstat',
  ] as const;
  const effects: Partial<Fault>[] = [
    { code: 'EIO' },
    { code: 'ENOSPC', times: 5 },
    { throws: new TypeError('odd') },
    { short: () => 1 },
  ];
  const random = seededRandom(7);
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
  let fired = 0;
  for (let round = 0; round < 250; round++) {
    const disk = new MemoryFiles();
    const path = '/disk/a.db';
    const faults = new FaultFiles(disk);
    const fault: Fault = { call: pick(calls), after: Math.floor(random() * 40), ...pick(effects) };
    faults.inject(fault);
    let acknowledged = 0;
    let connection: Connection | undefined;
    for (let n = 1; n <= 25; n++) {
      try {
        // As the store does it: opened anew when in doubt, checkpointed after opening.
        if (connection === undefined) {
          connection = await openWal({ path, files: faults.files });
          query(connection, 'PRAGMA wal_checkpoint(TRUNCATE)');
          connection.exec(CREATE);
        }
        connection.exec(`BEGIN; INSERT OR IGNORE ${insert(n).slice('INSERT '.length)}; COMMIT`);
        acknowledged = n;
        if (n % 7 === 0) query(connection, 'PRAGMA wal_checkpoint(TRUNCATE)');
      } catch (error) {
        expect(error).toHaveProperty('name', 'SqliteError');
        if (acknowledged < n) n -= 1;
        connection?.close();
        connection = undefined;
      }
    }
    connection?.close();
    fired += faults.fired;
    expect(disk.openHandles).toBe(0);
    const again = await openWal({ path, files: disk });
    const stored = query(again, 'SELECT n FROM t').map(([n]) => Number(n));
    expect(stored, JSON.stringify(fault)).toEqual(
      Array.from({ length: acknowledged }, (_, i) => i + 1),
    );
    expect(value(again, 'PRAGMA integrity_check'), JSON.stringify(fault)).toBe('ok');
    again.close();
  }
  expect(fired).toBeGreaterThan(100);
});
