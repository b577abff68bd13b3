import { statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import type { FileLayer } from '../../../sidecar/src/stores/sqlite/files/file-layer.ts';
import { nodeFiles } from '../../../sidecar/src/stores/sqlite/files/node-files.ts';
import { FaultFiles } from '../support/fault-files.ts';
import { integrity, open, rowsOf, temporaryPath, withNodeSqlite } from './harness.ts';

const MIB = 1_024 * 1_024;

function batch(rows: number) {
  return rowsOf(AUDIT_EVENT, Array(rows).fill({ details: 'x'.repeat(1_000) }));
}

test('the WAL stays bounded under constant load', async () => {
  const path = temporaryPath();
  const database = await open(path);
  let largest = 0;
  for (let n = 0; n < 60; n++) {
    database.append(batch(1_000));
    database.maintain(false);
    largest = Math.max(largest, database.figures.walBytes);
  }
  expect(statSync(path).size).toBeGreaterThan(40 * MIB);
  expect(largest).toBeLessThan(40 * MIB);
  expect(database.figures).toMatchObject({ checkpointFailures: 0 });
});

test('it stays bounded even where nobody asks for a checkpoint', async () => {
  const database = await open(temporaryPath());
  for (let n = 0; n < 70; n++) database.append(batch(1_000));
  expect(database.figures.walBytes).toBeLessThan(80 * MIB);
  expect(database.figures.checkpoints).toBeGreaterThan(1);
});

test('the WAL of a file with large pages keeps to the same bytes', async () => {
  const path = temporaryPath();
  withNodeSqlite(path, (other) => other.exec('PRAGMA page_size = 65536; CREATE TABLE notes (a)'));
  const database = await open(path);
  let largest = 0;
  for (let n = 0; n < 200; n++) {
    database.append(batch(10));
    database.maintain(false);
    largest = Math.max(largest, database.figures.walBytes);
  }
  expect(database.figures.checkpoints).toBeGreaterThan(1);
  expect(largest).toBeLessThan(40 * MIB);
});

test('when idle everything is moved into the database, once', async () => {
  const database = await open(temporaryPath());
  database.append(batch(1));
  expect(database.maintain(false)).toBe('not_due');
  expect(database.maintain(true)).toBe('done');
  expect(database.figures.walPendingFrames).toBe(0);
  expect(database.maintain(true)).toBe('not_due');
});

test('leaves nothing in the WAL at rest, which damage could write over newer pages', async () => {
  const path = temporaryPath();
  const database = await open(path);
  for (let n = 0; n < 20; n++) database.append(batch(1));
  database.maintain(true);
  expect(statSync(`${path}-wal`).size).toBe(0);
  // And of one whose pages were moved under load.
  while (database.figures.checkpoints < 3) {
    database.append(batch(1_000));
    database.maintain(false);
  }
  expect(database.figures.walPendingFrames).toBe(0);
  expect(database.maintain(true)).toBe('done');
  expect(statSync(`${path}-wal`).size).toBe(0);
  database.append(batch(1));
  expect(database.maintain(true)).toBe('done');
});

/** A file layer whose volume has so many bytes left, and counts how often it is asked. */
function volume(left: { freeBytes: number; totalBytes: number }) {
  let asked = 0;
  const files: FileLayer = {
    ...nodeFiles,
    space: () => {
      asked += 1;
      return left;
    },
  };
  return { files, asked: () => asked };
}

test('the WAL gives its room back where the volume has less than twice as much left', async () => {
  const path = temporaryPath();
  const left = { freeBytes: 100 * MIB, totalBytes: 200 * MIB };
  const database = await open(path, { files: volume(left).files });
  let done = 0;
  let largest = 0;
  const grow = (commits: number) => {
    for (let n = 0; n < commits; n++) {
      database.append(batch(100));
      if (database.maintain(false) === 'done') done += 1;
      largest = Math.max(largest, statSync(`${path}-wal`).size);
    }
  };
  grow(30);
  expect(done).toBe(0);
  expect(largest).toBeGreaterThan(4 * MIB);
  // More than is in the WAL, and not twice as much.
  left.freeBytes = 1.5 * largest;
  grow(10);
  expect(done).toBe(1);
  largest = 0;
  left.freeBytes = 4 * MIB;
  grow(60);
  expect(done).toBeGreaterThan(3);
  expect(largest).toBeLessThan(4 * MIB);
});

test('asks the volume for its space as the WAL grows by a MiB, and oftener only near its end', async () => {
  const left = { freeBytes: 1_000 * MIB, totalBytes: 2_000 * MIB };
  const { files, asked } = volume(left);
  const path = temporaryPath();
  const database = await open(path, { files });
  const grow = () => {
    for (let n = 0; n < 300; n++) {
      database.append(batch(10));
      database.maintain(false);
    }
  };
  grow();
  const bytes = statSync(`${path}-wal`).size;
  expect(bytes).toBeGreaterThan(8 * MIB);
  expect(asked()).toBeGreaterThan(4);
  expect(asked()).toBeLessThan(2 + bytes / MIB);
  left.freeBytes = MIB / 2;
  grow();
  expect(asked()).toBeGreaterThan(3 + (2 * bytes) / MIB);
});

test.each([
  ['fails', { code: 'EIO' }],
  ['tells no sizes', {}],
])('a look at the volume that %s does not matter', async (_what, fault) => {
  const faults = new FaultFiles(volume({ freeBytes: 0, totalBytes: 0 }).files);
  faults.inject({ call: 'space', times: Number.POSITIVE_INFINITY, ...fault });
  const database = await open(temporaryPath(), { files: faults.files });
  for (let n = 0; n < 30; n++) {
    database.append(batch(100));
    expect(database.maintain(false)).toBe('not_due');
  }
  expect(faults.fired).toBeGreaterThan(2);
});

test('a checkpoint that fails is counted, fails no commit, and is made up for later', async () => {
  const path = temporaryPath();
  const faults = new FaultFiles();
  let time = 1_000;
  const database = await open(path, { files: faults.files, monotonic: () => time });
  faults.inject({ call: 'write', path: /\.db$/, code: 'ENOSPC', times: Number.POSITIVE_INFINITY });
  database.append(batch(10));
  expect(database.maintain(true)).toBe('failed');
  expect(database.figures.checkpointFailures).toBe(1);
  database.append(batch(10));
  expect(database.maintain(true)).toBe('not_due');
  expect(database.figures.walPendingFrames).toBeGreaterThan(0);
  faults.heal();
  time += 2_000;
  expect(database.maintain(true)).toBe('done');
  database.close();
  expect(integrity(path)).toEqual(['ok']);
});

test('a checkpoint is made up for though the clock was set back', async () => {
  const faults = new FaultFiles();
  let time = 1_000;
  const database = await open(temporaryPath(), {
    files: faults.files,
    monotonic: () => time,
    // Goes back faster than time passes.
    now: () => Date.UTC(2026, 0, 1) - 10 * time,
  });
  faults.inject({ call: 'write', path: /\.db$/, code: 'ENOSPC', times: Number.POSITIVE_INFINITY });
  database.append(batch(10));
  expect(database.maintain(true)).toBe('failed');
  faults.heal();
  time += 2_000;
  expect(database.maintain(true)).toBe('done');
});

test('a checkpoint whose sync fails ends the connection, and the next one has every record', async () => {
  const path = temporaryPath();
  const faults = new FaultFiles();
  const database = await open(path, { files: faults.files });
  database.append(rowsOf(AUDIT_EVENT, [{ event_id: 'a' }, { event_id: 'b' }]));
  faults.inject({ call: 'sync', path: /\.db$/, code: 'EIO' });
  expect(() => database.maintain(true)).toThrow('cannot move the WAL into the database');
  expect(() => database.append(batch(1))).toThrow('an earlier call to the disk failed');
  expect(() => database.close()).toThrow('cannot close');
  const again = await open(path, { files: faults.files });
  const resent = rowsOf(AUDIT_EVENT, [{ event_id: 'a' }, { event_id: 'b' }, { event_id: 'c' }]);
  expect(again.append(resent).duplicates).toEqual([0, 1]);
  again.close();
  expect(integrity(path)).toEqual(['ok']);
});
