import { spawnSync } from 'node:child_process';
import { rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import type { Database } from '../../../sidecar/src/stores/sqlite/database/database.ts';
import { integrity, listAll, open, rowsOf, temporaryDirectory } from './harness.ts';

const ALL = { kind: AUDIT_EVENT, filters: new Map(), order: 'asc' as const, limit: 1_000 };
const MIB = 1_024 * 1_024;

/** A volume of so many bytes, or nothing where this machine does not let us mount one. */
function smallVolume(bytes: number): string | undefined {
  const directory = temporaryDirectory();
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', directory]);
  if (status !== 0) return undefined;
  onTestFinished(() => void spawnSync('umount', ['--lazy', directory]));
  return directory;
}

/** Appends until that fails; answers how many rows were acknowledged, and the failure. */
function fill(database: Database, first: number) {
  for (let n = first; ; n++) {
    try {
      database.append(rowsOf(AUDIT_EVENT, [{ event_id: `e-${n}`, details: 'x'.repeat(9_000) }]));
      database.maintain(false);
    } catch (failure) {
      return { stored: n, failure };
    }
  }
}

test('a volume that is full refuses records, keeps the stored ones readable, and goes on when there is space', async ({
  skip,
}) => {
  const volume = smallVolume(4 * MIB);
  if (volume === undefined) return skip('this machine does not let us mount a tmpfs');
  const path = join(volume, 'agenttier.db');
  const ballast = join(volume, 'ballast');
  writeFileSync(ballast, Buffer.alloc(MIB));
  const database = await open(path);
  const { stored, failure } = fill(database, 0);
  expect(stored).toBeGreaterThan(10);
  expect(failure).toMatchObject({
    class: 'transient',
    reason: expect.stringContaining('free space or enlarge the volume'),
  });
  try {
    database.close();
  } catch {
    // There is no room to move the WAL.
  }

  const full = await open(path);
  const wanted = Array.from({ length: stored }, (_, n) => `e-${n}`);
  const read = listAll(full, ALL).map(({ event_id }) => event_id);
  expect(read.slice(0, stored)).toEqual(wanted);
  expect(statSync(`${path}-wal`).size).toBeGreaterThan(0);
  // Nothing is called a duplicate before it is known to be on the disk.
  const known = rowsOf(AUDIT_EVENT, [{ event_id: 'e-0' }]);
  expect(() => full.append(known)).toThrow(expect.objectContaining({ inDoubt: false }));
  expect(() => full.probe()).toThrow(expect.objectContaining({ inDoubt: false }));
  expect(() => full.close()).toThrow('SQLITE_FULL (ENOSPC)');

  rmSync(ballast);
  const again = await open(path);
  const ids = listAll(again, ALL).map(({ event_id }) => event_id);
  expect(ids.slice(0, stored)).toEqual(wanted);
  again.append(rowsOf(AUDIT_EVENT, [{ event_id: 'after' }]));
  again.close();
  expect(integrity(path)).toEqual(['ok']);
});

test('a volume is full of records before it is full, and not of a WAL that nothing can move', async ({
  skip,
}) => {
  const volume = smallVolume(12 * MIB);
  if (volume === undefined) return skip('this machine does not let us mount a tmpfs');
  const path = join(volume, 'agenttier.db');
  const database = await open(path);
  const { stored, failure } = fill(database, 0);
  expect(failure).toMatchObject({ reason: expect.stringContaining('free space or enlarge') });
  expect(statSync(path).size).toBeGreaterThan(11 * MIB);
  expect(statSync(`${path}-wal`).size).toBeLessThan(MIB / 2);
  expect(stored).toBeGreaterThan(800);
  expect(statfsSync(volume).bavail).toBeLessThan(16);
});
