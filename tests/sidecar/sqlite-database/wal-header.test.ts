import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import { listAll, type OpenedDatabase, open, rowsOf, temporaryPath } from './harness.ts';

const ALL = { kind: AUDIT_EVENT, filters: new Map(), order: 'asc' as const, limit: 1_000 };
const HEADER_BYTES = 32;
const FRAME_BYTES = 24 + 4_096;

const idsOf = (database: OpenedDatabase) => listAll(database, ALL).map(({ event_id }) => event_id);

interface Disk {
  readonly database: Buffer;
  readonly wal: Buffer;
}

/** A database and its WAL as they lie on the disk at some moment. */
function disk(path: string): Disk {
  return { database: readFileSync(path), wal: readFileSync(`${path}-wal`) };
}

/** Opens what a kill leaves. */
async function openAfterKill({ database, wal }: Disk): Promise<OpenedDatabase> {
  const path = temporaryPath();
  writeFileSync(path, database);
  writeFileSync(`${path}-wal`, wal);
  return open(path);
}

/** Ten commits, none of them in the database yet, and the same once all are. */
async function tenCommits(): Promise<{ pending: Disk; moved: Disk; next: Buffer }> {
  const path = temporaryPath();
  const database = await open(path);
  for (let n = 0; n < 10; n++) {
    database.append(rowsOf(AUDIT_EVENT, [{ event_id: `id-${n}` }]));
  }
  const pending = disk(path);
  database.maintain(true);
  // The frames are still there where the WAL is not emptied, as under load.
  const moved = { database: readFileSync(path), wal: pending.wal };
  database.append(rowsOf(AUDIT_EVENT, [{}]));
  // SQLite writes it and syncs it before any frame.
  const next = disk(path).wal.subarray(0, HEADER_BYTES);
  return { pending, moved, next };
}

function changed(wal: Buffer, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(wal);
  change(copy);
  return copy;
}

const HEADER_LOST = 'its header is damaged; what it held cannot be read';

test('a changed byte anywhere in the header of a WAL is told of, and a copy kept', async () => {
  const { pending } = await tenCommits();
  const salts = pending.wal.toString('hex', HEADER_BYTES + 8, HEADER_BYTES + 16);
  for (let at = 0; at < HEADER_BYTES; at++) {
    const wal = changed(pending.wal, (copy) => copy.writeUInt8(copy.readUInt8(at) ^ 1, at));
    const database = await openAfterKill({ ...pending, wal });
    expect(database.notices, `byte ${at}`).toEqual([expect.stringContaining(HEADER_LOST)]);
    const copy = `agenttier.db.corrupt-${salts}-wal`;
    expect(database.notices[0]).toContain(`A copy is ${copy}`);
    expect(readFileSync(`${dirname(database.path)}/${copy}`).equals(wal)).toBe(true);
    database.append(rowsOf(AUDIT_EVENT, [{ event_id: 'after' }]));
    expect(idsOf(database)).toEqual(['after']);
  }
});

test.each([
  ['the first sector', (wal: Buffer) => wal.fill(0, 0, 512)],
  ['the first frame as well', (wal: Buffer) => wal.fill(0, 0, HEADER_BYTES + FRAME_BYTES)],
  ['all of it', (wal: Buffer) => wal.fill(0)],
])('a WAL of which %s is zeros is told of', async (_what, change) => {
  const { pending } = await tenCommits();
  const wal = changed(pending.wal, change);
  const database = await openAfterKill({ ...pending, wal });
  expect(database.notices).toEqual([expect.stringContaining(HEADER_LOST)]);
});

test('a header that a crash tears as the WAL begins anew is no damage, wherever it is torn', async () => {
  const { moved, next } = await tenCommits();
  const expected = Array.from({ length: 10 }, (_, n) => `id-${n}`);
  const torn = [changed(moved.wal, (copy) => copy.fill(0, 0, HEADER_BYTES))];
  for (let at = 1; at < HEADER_BYTES; at++) {
    torn.push(
      changed(moved.wal, (copy) => next.copy(copy, 0, 0, at)),
      changed(moved.wal, (copy) => next.copy(copy, at, at)),
    );
  }
  for (const wal of torn) {
    const database = await openAfterKill({ ...moved, wal });
    expect(database.notices, wal.toString('hex', 0, HEADER_BYTES)).toEqual([]);
    expect(idsOf(database)).toEqual(expected);
  }
});

test('a torn header and older frames behind those that were moved are no damage', async () => {
  const { moved, next } = await tenCommits();
  const older = changed(moved.wal.subarray(HEADER_BYTES), (frames) => {
    for (let at = 0; at < frames.length; at += FRAME_BYTES) frames.writeUInt32BE(7, at + 8);
    frames.fill(0xaa, FRAME_BYTES + 100, FRAME_BYTES + 200);
  });
  const wal = changed(Buffer.concat([moved.wal, older]), (copy) => next.copy(copy, 0, 0, 20));
  expect((await openAfterKill({ ...moved, wal })).notices).toEqual([]);
});

/** The same WAL with its checksums as a big-endian machine makes them. */
function bigEndian(wal: Buffer): Buffer {
  const copy = Buffer.from(wal);
  let [a, b] = [0, 0];
  const add = (from: number, to: number) => {
    for (let at = from; at < to; at += 8) {
      a = (a + copy.readUInt32BE(at) + b) >>> 0;
      b = (b + copy.readUInt32BE(at + 4) + a) >>> 0;
    }
  };
  const store = (at: number) => copy.writeUInt32BE(b, copy.writeUInt32BE(a, at));
  copy.writeUInt32BE(0x377f0683, 0);
  add(0, 24);
  store(24);
  for (let at = HEADER_BYTES; at < copy.length; at += FRAME_BYTES) {
    add(at, at + 8);
    add(at + 24, at + FRAME_BYTES);
    store(at + 16);
  }
  return copy;
}

test('a WAL that a big-endian machine wrote is whole as well, and its damage found', async () => {
  const { pending } = await tenCommits();
  const whole = bigEndian(pending.wal);
  const database = await openAfterKill({ ...pending, wal: whole });
  expect(database.notices).toEqual([]);
  expect(idsOf(database)).toHaveLength(10);
  const at = HEADER_BYTES + 2 * FRAME_BYTES + 1_000;
  const wal = changed(whole, (copy) => copy.writeUInt8(copy.readUInt8(at) ^ 1, at));
  const damaged = await openAfterKill({ ...pending, wal });
  expect(damaged.notices).toEqual([expect.stringContaining('10 commits in it cannot be read')]);
});

test('one commit that is not in the database is enough to tell of', async () => {
  const { moved, pending } = await tenCommits();
  const path = temporaryPath();
  writeFileSync(path, moved.database);
  const database = await open(path);
  database.append(rowsOf(AUDIT_EVENT, [{ event_id: 'one more' }]));
  const after = disk(path);
  const wal = changed(after.wal, (copy) => copy.fill(0, 0, HEADER_BYTES));
  const again = await openAfterKill({ ...after, wal });
  expect(again.notices).toEqual([expect.stringContaining(HEADER_LOST)]);
  expect(idsOf(again)).toHaveLength(10);
  // And frames that are damaged amid those that were moved.
  const amid = changed(pending.wal, (copy) => {
    copy.fill(0, 0, HEADER_BYTES);
    copy.fill(0xaa, HEADER_BYTES + 9 * FRAME_BYTES, HEADER_BYTES + 10 * FRAME_BYTES);
  });
  expect((await openAfterKill({ ...moved, wal: amid })).notices).toHaveLength(1);
});

test('nothing is told of a WAL that its database takes along as that is moved aside', async () => {
  const { pending } = await tenCommits();
  const wal = changed(pending.wal, (copy) => copy.fill(0, 0, HEADER_BYTES));
  const database = await openAfterKill({ database: Buffer.from('Dear diary, '.repeat(99)), wal });
  expect(database.notices).toEqual([expect.stringContaining('is damaged or not a database')]);
  const aside = readdirSync(dirname(database.path)).filter((name) => name.endsWith('Z-wal'));
  expect(aside).toHaveLength(1);
});
