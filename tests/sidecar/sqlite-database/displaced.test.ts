import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import { integrity, listAll, open, rowsOf, temporaryPath, withNodeSqlite } from './harness.ts';

const NOW = Date.UTC(2026, 10, 23, 9, 0, 0, 5);
const ASIDE = 'agenttier.db.corrupt-20261123T090000.005Z';
const now = () => NOW;
const ALL = { kind: AUDIT_EVENT, filters: new Map(), order: 'asc' as const, limit: 1_000 };

const batch = (...ids: string[]) =>
  rowsOf(
    AUDIT_EVENT,
    ids.map((event_id) => ({ event_id })),
  );
const idsOf = (database: Parameters<typeof listAll>[0]) =>
  listAll(database, ALL).map(({ event_id }) => event_id);

test('acknowledges nothing in a file that was replaced, and leaves the new one whole', async () => {
  const path = temporaryPath();
  const first = await open(path);
  first.append(batch(...Array.from({ length: 500 }, (_, n) => `kept-${n}`)));
  first.close();
  copyFileSync(path, `${path}.backup`);

  const second = await open(path);
  second.append(batch(...Array.from({ length: 500 }, (_, n) => `later-${n}`)));
  second.maintain();
  second.append(batch('in the WAL'));
  renameSync(`${path}.backup`, path);
  expect(() => second.append(batch('a'))).toThrow('was deleted or replaced while it was open');

  // The worker ends as by a kill, and the next one is told which file it had.
  const third = await open(path, { formerInode: second.inode, now });
  expect(third.notices).toEqual([
    expect.stringMatching(
      `replaced while it was open: .* moved to ${ASIDE}-wal; stop the sidecar before`,
    ),
  ]);
  third.append(batch('b'));
  third.maintain();
  const ids = idsOf(third);
  expect(ids).toHaveLength(501);
  expect(ids.at(-1)).toBe('b');
  third.close();
  expect(integrity(path)).toEqual(['ok']);
  expect(readdirSync(dirname(path)).sort()).toEqual(['agenttier.db', `${ASIDE}-wal`]);
});

test('tells a copy of the file from another one: the WAL belongs to it as well', async () => {
  const path = temporaryPath();
  const first = await open(path);
  first.append(batch('a'));
  first.maintain();
  first.append(batch('b'));
  copyFileSync(path, `${path}.copy`);
  renameSync(`${path}.copy`, path);
  expect(() => first.append(batch('c'))).toThrow(
    expect.objectContaining({ copied: true, class: 'transient' }),
  );
  const again = await open(path);
  expect(idsOf(again).slice(0, 2)).toEqual(['a', 'b']);
});

test('leaves the WAL of the file that it had open before where it is', async () => {
  const path = temporaryPath();
  const first = await open(path);
  first.append(batch('a'));
  const again = await open(path, { formerInode: first.inode, now });
  expect(again.notices).toEqual([]);
  expect(idsOf(again)).toEqual(['a']);
});

test('saves what only a deleted WAL holds before it acknowledges the next commit', async () => {
  const path = temporaryPath();
  const database = await open(path);
  database.append(batch('a'));
  database.append(batch('b'));
  rmSync(`${path}-wal`);
  database.append(batch('c'));
  // What a kill leaves: the file alone.
  copyFileSync(path, `${path}.killed`);
  const stored = withNodeSqlite(`${path}.killed`, (other) =>
    other.prepare('SELECT event_id FROM audit_events ORDER BY id').all(),
  );
  expect(stored.map(({ event_id }) => event_id)).toEqual(['a', 'b', 'c']);
  expect(() => database.maintain()).toThrow('-wal was deleted or replaced');
  expect(integrity(`${path}.killed`)).toEqual(['ok']);
});

test('a trial write finds a deleted WAL, and saves what it holds', async () => {
  const path = temporaryPath();
  const database = await open(path);
  database.append(batch('a'));
  rmSync(`${path}-wal`);
  expect(() => database.probe()).toThrow('-wal was deleted or replaced');
  const again = await open(path);
  expect(again.notices).toEqual([]);
  expect(idsOf(again)).toEqual(['a']);
});

/** What a kill leaves after some commits of one row each: a file, and all of them in its WAL. */
async function killedAfter(commits: number): Promise<{ path: string; frameBytes: number }> {
  const path = temporaryPath();
  const database = await open(path);
  for (let n = 0; n < commits; n++) database.append(batch(`id-${n}`));
  const copy = temporaryPath();
  copyFileSync(path, copy);
  copyFileSync(`${path}-wal`, `${copy}-wal`);
  return { path: copy, frameBytes: 24 + 4_096 };
}

test('tells of commits behind damage in the WAL, and keeps a copy', async () => {
  const { path, frameBytes } = await killedAfter(50);
  const wal = readFileSync(`${path}-wal`);
  const damaged = Buffer.from(wal);
  const at = 32 + 20 * frameBytes + 2_000;
  damaged.writeUInt8(damaged.readUInt8(at) ^ 1, at);
  writeFileSync(`${path}-wal`, damaged);
  const database = await open(path, { now });
  const told = database.notices.map((notice) => Number(/(\d+) commits/.exec(notice)?.[1]));
  const stored = idsOf(database).length;
  expect(database.notices).toEqual([expect.stringContaining(`A copy is ${ASIDE}-wal`)]);
  expect(stored).toBeGreaterThan(0);
  expect(told).toEqual([50 - stored]);
  expect(readFileSync(`${dirname(path)}/${ASIDE}-wal`).equals(damaged)).toBe(true);
});

test.each([
  ['is whole', (wal: Buffer) => wal],
  ['breaks off in its last commit', (wal: Buffer) => wal.subarray(0, wal.length - 2_000)],
  [
    'is torn in its last commit',
    (wal: Buffer) => {
      wal.fill(0, wal.length - 3_000, wal.length - 1_000);
      return wal;
    },
  ],
  [
    'has a torn header',
    (wal: Buffer) => {
      wal.writeUInt8(wal.readUInt8(13) ^ 1, 13);
      return wal;
    },
  ],
  ['holds less than a header', (wal: Buffer) => wal.subarray(0, 20)],
])('a WAL that %s is what a crash may leave', async (_what, change) => {
  const { path } = await killedAfter(10);
  writeFileSync(`${path}-wal`, change(readFileSync(`${path}-wal`)));
  const database = await open(path);
  expect(database.notices).toEqual([]);
});

test('leftovers of an earlier round of the WAL are no damage', async () => {
  const path = temporaryPath();
  const database = await open(path);
  for (let n = 0; n < 20; n++) database.append(batch(`early-${n}`));
  database.maintain();
  // All frames are in the database, so the next commit begins the WAL anew, over the old ones.
  database.append(batch('late'));
  const copy = temporaryPath();
  copyFileSync(path, copy);
  copyFileSync(`${path}-wal`, `${copy}-wal`);
  const again = await open(copy);
  expect(again.notices).toEqual([]);
  expect(idsOf(again)).toHaveLength(21);
  expect(existsSync(`${copy}-wal`)).toBe(true);
});
