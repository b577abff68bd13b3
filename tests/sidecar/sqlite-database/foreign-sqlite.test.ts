import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import {
  clearForeignShm,
  refuseForeignWriter,
} from '../../../sidecar/src/stores/sqlite/database/foreign-sqlite.ts';
import { parseLocks } from '../../../sidecar/src/stores/sqlite/database/posix-locks.ts';
import { nodeFiles } from '../../../sidecar/src/stores/sqlite/files/node-files.ts';
import { makeShmDirectory } from '../../../sidecar/src/stores/sqlite/lock/shm-directory.ts';
import { requireProgram } from '../support/require-program.ts';
import { integrity, listAll, open, rowsOf, temporaryPath, upstreamCopy } from './harness.ts';

const ALL = { kind: AUDIT_EVENT, filters: new Map(), order: 'asc' as const, limit: 1_000 };

/** Another process with Node's own SQLite on a file, which has run some SQL and then stays. */
async function otherProcess(path: string, sql: string): Promise<ChildProcess> {
  const script = `
    const { DatabaseSync } = require('node:sqlite');
    const database = new DatabaseSync(process.argv[1]);
    database.exec(process.argv[2]);
    console.log('ready');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['-e', script, path, sql], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout as NonNullable<typeof child.stdout>, 'data');
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

test('waits for the end of a process with the WAL’s shared memory, and then keeps its rows', async () => {
  const path = upstreamCopy();
  const other = await otherProcess(
    path,
    "PRAGMA journal_mode = WAL; INSERT INTO audit_events (ts) VALUES ('2027-01-01T00:00:00Z')",
  );
  expect(() => clearForeignShm(nodeFiles, path)).toThrow(`process ${other.pid} has ${path} open`);
  expect(existsSync(`${path}-shm`)).toBe(true);
  await kill(other);
  expect(statSync(`${path}-wal`).size).toBeGreaterThan(0);
  clearForeignShm(nodeFiles, path);
  expect(existsSync(`${path}-shm`)).toBe(false);
  const database = await open(path);
  const items = listAll(database, ALL);
  expect(items).toHaveLength(241);
  expect(items.at(-1)?.ts).toBe('2027-01-01T00:00:00.000000000Z');
});

test('leaves our own directory in the place of the shared memory alone', () => {
  const path = temporaryPath();
  clearForeignShm(nodeFiles, path);
  makeShmDirectory(path);
  clearForeignShm(nodeFiles, path);
  expect(statSync(`${path}-shm`).isDirectory()).toBe(true);
});

test('refuses while another process writes, naming it, and opens when it has ended', async () => {
  const path = upstreamCopy();
  const other = await otherProcess(path, 'BEGIN IMMEDIATE');
  await expect(open(path)).rejects.toMatchObject({
    class: 'transient',
    reason: expect.stringMatching(new RegExp(`process ${other.pid} has .*open.*; end it`)),
  });
  await kill(other);
  expect((await open(path)).migrated?.from).toBe(0);
});

test('rolls back the transaction of a program that was killed in the middle of it', async () => {
  const path = upstreamCopy();
  const other = await otherProcess(
    path,
    "PRAGMA cache_size = 1; BEGIN; UPDATE audit_events SET details = hex(zeroblob(20000)), actor = 'x'",
  );
  await kill(other);
  expect(statSync(`${path}-journal`).size).toBeGreaterThan(512);
  const database = await open(path);
  const items = listAll(database, ALL);
  expect(items).toHaveLength(240);
  expect(items.some(({ actor }) => actor === 'x')).toBe(false);
  database.close();
  expect(existsSync(`${path}-journal`)).toBe(false);
  expect(integrity(path)).toEqual(['ok']);
});

/** What another program says when it is asked, and how it ended. */
interface Answer {
  readonly rows: string;
  readonly problem: string;
}

const READERS: readonly [name: string, ask: (path: string, sql: string) => Answer][] = [
  [
    'Node’s own SQLite',
    (path, sql) => {
      const script = `
        const { DatabaseSync } = require('node:sqlite');
        const database = new DatabaseSync(process.argv[1]);
        console.log(Object.values(database.prepare(process.argv[2]).get() ?? {}).join());
        database.close();`;
      const { stdout, stderr } = spawnSync(process.execPath, ['-e', script, path, sql]);
      return { rows: String(stdout).trim(), problem: String(stderr) };
    },
  ],
  [
    'the sqlite3 program',
    (path, sql) => {
      const { stdout, stderr } = spawnSync('sqlite3', [path, sql]);
      return { rows: String(stdout).trim(), problem: String(stderr) };
    },
  ],
];

for (const [name, ask] of READERS) {
  test(`${name} reads live rows and can neither write nor harm the file`, async () => {
    if (name.includes('program')) await requireProgram('sqlite3', 'sqlite3');
    const path = temporaryPath();
    makeShmDirectory(path);
    const database = await open(path);
    for (let n = 1; n <= 5; n++) {
      database.append(rowsOf(AUDIT_EVENT, [{ actor: `a-${n}` }]));
      const read = ask(path, 'SELECT count(*), max(actor) FROM audit_events');
      expect(read.rows.replace('|', ',')).toBe(`${n},a-${n}`);
      if (n === 3) database.maintain(true);
    }
    expect(ask(path, "INSERT INTO audit_events (ts) VALUES ('x')").problem).toContain('readonly');
    ask(path, 'PRAGMA wal_checkpoint(TRUNCATE)');
    expect(statSync(`${path}-wal`).size).toBeGreaterThan(0);
    database.append(rowsOf(AUDIT_EVENT, [{}]));
    database.close();
    const again = await open(path);
    expect(listAll(again, ALL)).toHaveLength(6);
    again.close();
  });
}

test('reads the kernel’s table of locks', () => {
  const text = `1: POSIX  ADVISORY  WRITE 3548 08:02:1048580 1073741824 1073742335
1: -> POSIX  ADVISORY  WRITE 99 08:02:1048580 0 EOF
2: OFDLCK ADVISORY  READ -1 00:2b:77 128 128
3: FLOCK  ADVISORY  WRITE 12 08:02:5 0 EOF
4: POSIX  ADVISORY  WRITE 7 fe:00:9 0 EOF
`;
  expect(parseLocks(text)).toEqual([
    { write: true, pid: 3548, inode: 1048580, from: 1073741824, to: 1073742335 },
    { write: false, pid: -1, inode: 77, from: 128, to: 128 },
    { write: true, pid: 7, inode: 9, from: 0, to: Number.POSITIVE_INFINITY },
  ]);
});

test('a lock counts where SQLite locks this very file, and a reader does no harm', async () => {
  const path = upstreamCopy();
  const { inode } = nodeFiles.stat(path);
  const lock = { write: true, pid: 7, inode, from: 0x40000001, to: 0x40000001 };
  const refuse = (held: typeof lock) => refuseForeignWriter(nodeFiles, path, () => [held]);
  expect(() => refuse(lock)).toThrow('process 7');
  expect(() => refuse({ ...lock, pid: -1 })).toThrow('another process');
  expect(() => refuse({ ...lock, write: false })).not.toThrow();
  expect(() => refuse({ ...lock, inode: inode + 1 })).not.toThrow();
  expect(() => refuse({ ...lock, from: 0, to: 10 })).not.toThrow();
});
