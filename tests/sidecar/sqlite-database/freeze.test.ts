import {
  closeSync,
  copyFileSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import { DUE_BYTES, FROZEN_BYTES } from '../../../sidecar/src/stores/sqlite/database/checkpoint.ts';
import type { Database } from '../../../sidecar/src/stores/sqlite/database/database.ts';
import { nodeFiles } from '../../../sidecar/src/stores/sqlite/files/node-files.ts';
import { FaultFiles } from '../support/fault-files.ts';
import { integrity, open, rowsOf, temporaryPath, withNodeSqlite } from './harness.ts';

const MIB = 1_024 * 1_024;

function commit(database: Database, ...ids: string[]): void {
  database.append(
    rowsOf(
      AUDIT_EVENT,
      ids.map((event_id) => ({ event_id })),
    ),
  );
}

/** Commits of about a MiB each, until the WAL has so many bytes. */
function grow(database: Database, bytes: number): void {
  const details = 'x'.repeat(65_000);
  while (database.figures.walBytes < bytes) {
    database.append(rowsOf(AUDIT_EVENT, Array(16).fill({ details })));
    if (database.maintain(false) === 'done') return;
  }
}

/** Event ids in a copy of the file alone, which is sound. */
function idsInCopy(path: string): unknown[] {
  const copy = `${path}.copy`;
  copyFileSync(path, copy);
  expect(integrity(copy)).toEqual(['ok']);
  return withNodeSqlite(copy, (other) =>
    other
      .prepare('SELECT event_id FROM audit_events ORDER BY id')
      .all()
      .map(({ event_id }) => event_id),
  );
}

test('a frozen file holds all that was committed, and stays as it is while commits go on', async () => {
  const path = temporaryPath();
  const database = await open(path);
  commit(database, 'a', 'b');
  expect(database.freeze()).toBe(statSync(path).size);
  const before = readFileSync(path);
  commit(database, 'c');
  database.maintain(false);
  database.maintain(true);
  expect(readFileSync(path).equals(before)).toBe(true);
  expect(idsInCopy(path)).toEqual(['a', 'b']);
  expect(database.thaw()).toBe(true);

  expect(database.maintain(true)).toBe('done');
  expect(idsInCopy(path)).toEqual(['a', 'b', 'c']);
});

test('stays frozen past what makes a checkpoint due, and up to a bound of the WAL', async () => {
  const path = temporaryPath();
  const database = await open(path);
  commit(database, 'a');
  database.freeze();
  const before = statSync(path);
  grow(database, 2 * DUE_BYTES + MIB);
  expect(statSync(path)).toMatchObject({ size: before.size, mtimeMs: before.mtimeMs });
  grow(database, 2 * FROZEN_BYTES);
  expect(database.figures.walBytes).toBeLessThan(1.1 * FROZEN_BYTES);
  expect(statSync(path).size).toBeGreaterThan(FROZEN_BYTES / 2);
  expect(database.thaw()).toBe(false);
  expect(database.figures.checkpointFailures).toBe(0);
});

test('does not stay frozen where the volume needs the room of the WAL', async () => {
  const left = { freeBytes: 1_000 * MIB, totalBytes: 2_000 * MIB };
  const path = temporaryPath();
  const database = await open(path, { files: { ...nodeFiles, space: () => left } });
  database.freeze();
  grow(database, 8 * MIB);
  expect(database.figures.walBytes).toBeGreaterThan(8 * MIB);
  left.freeBytes = 10 * MIB;
  grow(database, 16 * MIB);
  expect(statSync(`${path}-wal`).size).toBe(0);
  expect(database.thaw()).toBe(false);
});

test('does not stay frozen at rest where others take the room that the WAL needs', async () => {
  const left = { freeBytes: 1_000 * MIB, totalBytes: 2_000 * MIB };
  const path = temporaryPath();
  const database = await open(path, { files: { ...nodeFiles, space: () => left } });
  database.freeze();
  grow(database, 8 * MIB);
  expect(database.maintain(true)).toBe('not_due');
  left.freeBytes = 10 * MIB;
  expect(database.maintain(true)).toBe('done');
  expect(statSync(`${path}-wal`).size).toBe(0);
  expect(database.thaw()).toBe(false);
});

test('is frozen once at a time, and again after its end', async () => {
  const database = await open(temporaryPath());
  database.freeze();
  expect(() => database.freeze()).toThrow('another backup is being made');
  commit(database, 'a');
  expect(database.thaw()).toBe(true);
  expect(database.thaw()).toBe(false);
  expect(database.freeze()).toBeGreaterThan(0);
  expect(database.thaw()).toBe(true);
});

test('a backup that a checkpoint has ended does not end as that of the next one', async () => {
  const left = { freeBytes: MIB, totalBytes: 2_000 * MIB };
  const database = await open(temporaryPath(), { files: { ...nodeFiles, space: () => left } });
  database.freeze();
  grow(database, 2 * MIB);
  expect(database.figures.walBytes).toBe(0);
  // It is being read still, and would take the answer to the next one's question for its own.
  expect(() => database.freeze()).toThrow('another backup is being made');
  expect(database.thaw()).toBe(false);
  database.freeze();
  expect(database.thaw()).toBe(true);
});

test('a full volume keeps it from being frozen, and takes no harm', async () => {
  const faults = new FaultFiles();
  const database = await open(temporaryPath(), { files: faults.files });
  commit(database, 'a');
  faults.inject({ call: 'write', path: /\.db$/, code: 'ENOSPC', times: Number.POSITIVE_INFINITY });
  expect(() => database.freeze()).toThrow(/ENOSPC/);
  expect(database.thaw()).toBe(false);
  faults.heal();
  commit(database, 'b');
  expect(database.freeze()).toBeGreaterThan(0);
  expect(database.thaw()).toBe(true);
});

test.each([
  ['overwritten', (path: string) => writeFileSync(path, readFileSync(path).fill(7, 0, 4_096))],
  ['deleted', (path: string) => rmSync(path)],
])('a file that is %s meanwhile is not called whole', async (_what, harm) => {
  const path = temporaryPath();
  const database = await open(path);
  commit(database, 'a');
  database.freeze();
  harm(path);
  expect(() => database.thaw()).toThrow(/overwritten or cut|deleted or replaced/);
});

test('pages that are written in place meanwhile are found, where size and header tell nothing', async () => {
  const path = temporaryPath();
  const database = await open(path);
  commit(database, 'a');
  database.freeze();
  await sleep(20);
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.from('other'), 0, 5, 5_000);
  closeSync(file);
  // Looks at the file as well, and goes by size and header alone.
  commit(database, 'b');
  expect(() => database.thaw()).toThrow('may have been written to');
});

test('what was committed while it was frozen survives a process that does not live to thaw it', async () => {
  const path = temporaryPath();
  const database = await open(path);
  commit(database, 'a');
  database.freeze();
  grow(database, DUE_BYTES + MIB);
  commit(database, 'z');
  const crashed = `${path}.crashed`;
  for (const suffix of ['', '-wal']) copyFileSync(path + suffix, crashed + suffix);
  const again = await open(crashed);
  again.close();
  const ids = idsInCopy(crashed);
  expect([ids[0], ids.at(-1)]).toEqual(['a', 'z']);
  expect(ids.length).toBeGreaterThan(400);
});
