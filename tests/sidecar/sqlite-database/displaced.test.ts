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
import { unknownOwner } from '../../../sidecar/src/stores/sqlite/database/wal-owner.ts';
import type { FileLayer } from '../../../sidecar/src/stores/sqlite/files/file-layer.ts';
import { nodeFiles } from '../../../sidecar/src/stores/sqlite/files/node-files.ts';
import { FaultFiles } from '../support/fault-files.ts';
import {
  integrity,
  listAll,
  open,
  rowsOf,
  temporaryPath,
  upstreamCopy,
  withNodeSqlite,
} from './harness.ts';

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

  const walOwner = unknownOwner();
  const second = await open(path, { walOwner });
  second.append(batch(...Array.from({ length: 500 }, (_, n) => `later-${n}`)));
  second.maintain();
  second.append(batch('in the WAL'));
  renameSync(`${path}.backup`, path);
  expect(() => second.append(batch('a'))).toThrow('was deleted or replaced while it was open');

  // The worker ends as by a kill, and the next one knows which file it had.
  const third = await open(path, { walOwner, now });
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

test.each([
  ['replaced', (path: string) => renameSync(`${path}.backup`, path)],
  ['deleted', (path: string) => rmSync(path)],
])('notices that the file was %s while there was no room to empty its WAL', async (_, displace) => {
  const path = temporaryPath();
  const first = await open(path);
  first.append(batch('kept'));
  first.maintain();
  copyFileSync(path, `${path}.backup`);
  first.append(batch('in the WAL'));

  // The worker ended as by a kill, and the next one finds the volume full.
  const faults = new FaultFiles();
  faults.inject({ call: 'write', path: /\.db$/, times: Number.POSITIVE_INFINITY, code: 'ENOSPC' });
  const full = await open(path, { files: faults.files });
  expect(idsOf(full)).toEqual(['kept', 'in the WAL']);
  expect(() => full.probe()).toThrow('ENOSPC');
  displace(path);
  // It would keep the room of the former file from being free, for ever.
  const inDoubt = expect.objectContaining({
    inDoubt: true,
    message: expect.stringContaining('was deleted or replaced while it was open'),
  });
  expect(() => full.probe()).toThrow(inDoubt);
  expect(() => full.append(batch('a'))).toThrow(inDoubt);
});

test('tells a copy of the file from another one: the WAL belongs to it as well', async () => {
  const path = temporaryPath();
  const walOwner = unknownOwner();
  const first = await open(path, { walOwner });
  first.append(batch('a'));
  first.maintain();
  first.append(batch('b'));
  copyFileSync(path, `${path}.copy`);
  renameSync(`${path}.copy`, path);
  expect(() => first.append(batch('c'))).toThrow(
    expect.objectContaining({ class: 'transient', message: expect.stringMatching('replaced') }),
  );
  const again = await open(path, { walOwner });
  expect(again.notices).toEqual([]);
  expect(idsOf(again).slice(0, 2)).toEqual(['a', 'b']);
});

test('leaves the WAL of the file that it had open before where it is', async () => {
  const path = temporaryPath();
  const walOwner = unknownOwner();
  const first = await open(path, { walOwner });
  first.append(batch('a'));
  const again = await open(path, { walOwner, now });
  expect(again.notices).toEqual([]);
  expect(idsOf(again)).toEqual(['a']);
});

test('leaves a file that came in the place of another its own WAL, when its opening fails', async () => {
  const path = temporaryPath();
  const walOwner = unknownOwner();
  const first = await open(path, { walOwner });
  first.append(batch('a'));
  renameSync(upstreamCopy(), path);

  const faults = new FaultFiles();
  // It is adopted by commits to its WAL, and the disk is full while they are moved into it.
  faults.inject({ call: 'write', path: /\.db$/, after: 10, code: 'EIO' });
  const notices: string[] = [];
  const onNotice = (notice: string) => notices.push(notice);
  const options = { walOwner, now, files: faults.files, onNotice };
  await expect(open(path, options)).rejects.toThrow('EIO');
  expect(faults.fired).toBe(1);
  // Told although the opening failed: the next one finds nothing amiss.
  expect(notices).toEqual([expect.stringContaining(`moved to ${ASIDE}-wal`)]);
  const again = await open(path, options);
  expect(notices).toHaveLength(1);
  expect(idsOf(again)).toHaveLength(240);
  again.close();
  expect(integrity(path)).toEqual(['ok']);
  // The former file's.
  expect(readdirSync(dirname(path)).sort()).toEqual(['agenttier.db', `${ASIDE}-wal`]);
});

test('leaves a file and its WAL together that came in the place of one that could not be opened', async () => {
  const { path: restored } = await killedAfter(3);
  const path = temporaryPath();
  const newer = await open(path);
  newer.append(batch('newer'));
  newer.close();
  withNodeSqlite(path, (other) =>
    other.exec("UPDATE agenttier_meta SET value = '9' WHERE key = 'min_writer_version'"),
  );
  const walOwner = unknownOwner();
  await expect(open(path, { walOwner, now })).rejects.toThrow('newer');

  renameSync(`${restored}-wal`, `${path}-wal`);
  renameSync(restored, path);
  const database = await open(path, { walOwner, now });
  expect(database.notices).toEqual([]);
  expect(idsOf(database)).toEqual(['id-0', 'id-1', 'id-2']);
});

test('keeps the WAL of a file that could not be opened from the one that takes its place', async () => {
  const { path } = await killedAfter(3);
  const other = temporaryPath();
  const whole = await open(other);
  whole.append(batch('whole'));
  whole.close();
  const walOwner = unknownOwner();
  const faults = new FaultFiles();
  faults.inject({ call: 'write', path: /\.db$/, times: Number.POSITIVE_INFINITY, code: 'EIO' });
  await expect(open(path, { walOwner, now, files: faults.files })).rejects.toThrow('EIO');

  renameSync(other, path);
  const database = await open(path, { walOwner, now });
  expect(database.notices).toEqual([expect.stringContaining(`moved to ${ASIDE}-wal`)]);
  expect(idsOf(database)).toEqual(['whole']);
});

test.each([
  // SQLite has the file by then, and has read nothing of it.
  ['as its WAL is looked for', 'exists', /-wal$/, 3],
  ['as its WAL is opened', 'open', /-wal$/, 1],
  ['when it is made ready', 'truncate', /-wal$/, 1],
] as const)('notices that a file is replaced %s', async (_when, call, which, times) => {
  const path = temporaryPath();
  const first = await open(path);
  first.append(batch('a', 'b'));
  first.close();
  copyFileSync(path, `${path}.other`);
  const other = await open(`${path}.other`);
  other.append(batch('c'));
  other.close();
  const second = await open(path);
  second.append(batch('d'));

  let left: number = times;
  const replace = (at: unknown) => {
    if (typeof at !== 'string' || !which.test(at) || left === 0) return;
    left -= 1;
    if (left === 0) renameSync(`${path}.other`, path);
  };
  const paths = new Map<number, string>();
  const files: FileLayer = {
    ...nodeFiles,
    open(at, mode) {
      if (call === 'open') replace(at);
      const handle = nodeFiles.open(at, mode);
      paths.set(handle, at);
      return handle;
    },
    exists(at) {
      if (call === 'exists') replace(at);
      return nodeFiles.exists(at);
    },
    truncate(handle, size) {
      if (call === 'truncate') replace(paths.get(handle));
      nodeFiles.truncate(handle, size);
    },
  };
  const walOwner = unknownOwner();
  await expect(open(path, { files, walOwner })).rejects.toThrow('replaced while it was');
  expect(left).toBe(0);
  const third = await open(path, { walOwner, now });
  expect(idsOf(third)).toEqual(['a', 'b', 'c']);
  third.close();
  expect(integrity(path)).toEqual(['ok']);
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

test('tells of a deleted WAL that there is no room to save, and saves it when there is', async () => {
  for (const isOwed of [false, true]) {
    const path = temporaryPath();
    const first = await open(path);
    first.append(batch('a'));
    const faults = new FaultFiles();
    const inject = () =>
      faults.inject({
        call: 'write',
        path: /\.db$/,
        times: Number.POSITIVE_INFINITY,
        code: 'ENOSPC',
      });
    if (isOwed) inject();
    else first.close();
    const full = await open(path, { files: faults.files });
    if (!isOwed) {
      full.append(batch('b'));
      inject();
    }
    rmSync(`${path}-wal`);
    expect(() => full.probe()).toThrow(expect.objectContaining({ inDoubt: false }));
    expect(() => full.append(batch('c'))).toThrow(expect.objectContaining({ inDoubt: false }));
    const told = /^agenttier\.db-wal was deleted or replaced .* no room .* so free space before$/;
    expect(full.notices[0]).toMatch(told);

    faults.heal();
    full.append(batch('c'));
    full.close();
    const again = await open(path);
    expect(idsOf(again)).toEqual(isOwed ? ['a', 'c'] : ['a', 'b', 'c']);
  }
});

test('tells of a deleted WAL that is lost with the end of the connection', async () => {
  const path = temporaryPath();
  const faults = new FaultFiles();
  const database = await open(path, { files: faults.files });
  database.append(batch('a'));
  rmSync(`${path}-wal`);
  faults.inject({ call: 'write', path: /\.db$/, times: Number.POSITIVE_INFINITY, code: 'ENOSPC' });
  expect(() => database.close()).toThrow('ENOSPC');
  expect(database.notices).toEqual([
    expect.stringMatching(/^agenttier\.db-wal was deleted or replaced .* what it held is lost$/),
  ]);
});

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
  const salts = wal.toString('hex', 16, 24);
  const copy = `agenttier.db.corrupt-${salts}-wal`;
  expect(database.notices).toEqual([expect.stringContaining(`A copy is ${copy}`)]);
  expect(stored).toBeGreaterThan(0);
  expect(told).toEqual([50 - stored]);
  expect(readFileSync(`${dirname(path)}/${copy}`).equals(damaged)).toBe(true);
});

test('keeps one copy of a damaged WAL, however often the opening fails, and no part of one', async () => {
  const { path, frameBytes } = await killedAfter(50);
  const wal = readFileSync(`${path}-wal`);
  wal.writeUInt8(wal.readUInt8(2_000 + 20 * frameBytes) ^ 1, 2_000 + 20 * frameBytes);
  writeFileSync(`${path}-wal`, wal);
  const copies = () => readdirSync(dirname(path)).filter((name) => name.includes('corrupt'));

  const faults = new FaultFiles();
  const options = { now, files: faults.files };
  faults.inject({ call: 'write', path: /corrupt/, code: 'ENOSPC' });
  await expect(open(path, options)).rejects.toThrow('ENOSPC');
  expect(copies()).toEqual([]);
  faults.inject({ call: 'write', path: /\.db$/, times: Number.POSITIVE_INFINITY, code: 'EIO' });
  for (let time = 0; time < 3; time++) {
    await expect(open(path, options)).rejects.toThrow('EIO');
  }
  expect(copies()).toHaveLength(1);
  faults.heal();
  const database = await open(path, options);
  expect(database.notices).toHaveLength(1);
  expect(copies()).toHaveLength(1);
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
