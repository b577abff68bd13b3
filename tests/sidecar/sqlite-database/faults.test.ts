import { readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import { databaseError } from '../../../sidecar/src/stores/sqlite/database/result-codes.ts';
import { SqliteError } from '../../../sidecar/src/stores/sqlite/engine/connection.ts';
import { nodeFiles } from '../../../sidecar/src/stores/sqlite/files/node-files.ts';
import { FaultFiles } from '../support/fault-files.ts';
import { integrity, listAll, open, rowsOf, temporaryPath } from './harness.ts';

const ALL = { kind: AUDIT_EVENT, filters: new Map(), order: 'asc' as const, limit: 1_000 };
const ALWAYS = Number.POSITIVE_INFINITY;

function batch(...ids: string[]) {
  return rowsOf(
    AUDIT_EVENT,
    ids.map((event_id) => ({ event_id, details: 'x'.repeat(2_000) })),
  );
}

for (const [call, code, hint] of [
  ['write', 'ENOSPC', 'free space or enlarge the volume'],
  ['write', 'EDQUOT', 'raise the quota of the volume'],
  ['write', 'EIO', 'the disk fails'],
  ['write', 'EROFS', 'mount it writable'],
  ['sync', 'EIO', 'the disk fails'],
] as const) {
  test(`${code} in a ${call} of the WAL fails the batch, says what to do, and heals`, async () => {
    const path = temporaryPath();
    const faults = new FaultFiles();
    const database = await open(path, { files: faults.files });
    database.append(batch('a', 'b'));
    faults.inject({ call, path: /-wal$/, code, times: ALWAYS });
    let failure: unknown;
    try {
      database.append(batch('c', 'd'));
    } catch (error) {
      failure = error;
    }
    expect(failure).toMatchObject({
      class: 'transient',
      corrupt: false,
      reason: expect.stringContaining(hint),
      message: expect.stringContaining(code),
    });
    try {
      database.close();
    } catch {
      // In doubt, it may not end cleanly; the WAL has what was acknowledged.
    }
    faults.heal();
    const again = await open(path, { files: faults.files });
    const stored = listAll(again, ALL).map(({ event_id }) => event_id);
    expect(stored.slice(0, 2)).toEqual(['a', 'b']);
    const { duplicates } = again.append(batch('c', 'd'));
    expect(duplicates).toHaveLength(stored.length - 2);
    again.close();
    expect(integrity(path)).toEqual(['ok']);
    expect(faults.openPaths).toEqual([]);
  });
}

test('every fault at every point of an opening is transient, and the next opening is whole', async () => {
  for (const call of ['open', 'write', 'sync', 'truncate', 'syncDirectory'] as const) {
    for (let after = 0; ; after++) {
      const path = temporaryPath();
      const faults = new FaultFiles();
      faults.inject({ call, code: 'EIO', after });
      const failure = await open(path, { files: faults.files }).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (faults.fired === 0) break;
      if (failure !== undefined) expect(failure).toMatchObject({ class: 'transient' });
      faults.heal();
      const database = await open(path, { files: faults.files });
      expect(database.notices).toEqual([]);
      database.append(batch('a'));
      database.close();
      expect(integrity(path)).toEqual(['ok']);
    }
  }
});

test('a trial write sees a full or read-only volume, and a file that was taken away', async () => {
  const path = temporaryPath();
  const faults = new FaultFiles();
  const full = { ...faults.files, space: () => ({ freeBytes: 0, totalBytes: 10 }) };
  const onFull = await open(path, { files: full });
  expect(() => onFull.probe()).toThrow('the volume is full');
  onFull.close();
  const silent = { ...faults.files, space: () => ({ freeBytes: 0, totalBytes: 0 }) };
  const onSilent = await open(path, { files: silent });
  onSilent.probe();
  onSilent.close();
  const database = await open(path, { files: faults.files });
  faults.inject({ call: 'access', code: 'EROFS' });
  expect(() => database.probe()).toThrow('EROFS');
  database.probe();
  renameSync(path, `${path}.taken`);
  expect(() => database.probe()).toThrow('deleted or replaced');
  writeFileSync(path, '');
  expect(() => database.probe()).toThrow('deleted or replaced');
});

test('moves nothing aside because the disk does not answer for a moment', async () => {
  const path = temporaryPath();
  const first = await open(path);
  first.append(batch('a'));
  for (let after = 0; ; after++) {
    const faults = new FaultFiles();
    faults.inject({ call: 'exists', code: 'EIO', after });
    await open(path, { files: faults.files }).catch(() => undefined);
    if (faults.fired === 0) break;
    expect(readdirSync(dirname(path)).filter((name) => name.includes('corrupt'))).toEqual([]);
  }
  expect(listAll(await open(path), ALL).map(({ event_id }) => event_id)).toEqual(['a']);
});

test('cannot tell whether a file is there that cannot be looked at', () => {
  const circle = temporaryPath();
  symlinkSync(circle, circle);
  expect(() => nodeFiles.exists(circle)).toThrow('ELOOP');
  expect(nodeFiles.exists(`${circle}.missing`)).toBe(false);
  expect(nodeFiles.exists(dirname(circle))).toBe(true);
});

test('a write that is forbidden fails the batch and leaves the file as it was', async () => {
  const path = temporaryPath();
  let forbidden = false;
  const beforeWrite = () => {
    if (forbidden) throw Object.assign(new Error('not ours any more'), { code: 'ESTALE' });
  };
  const database = await open(path, { beforeWrite });
  database.append(batch('a'));
  forbidden = true;
  expect(() => database.append(batch('b'))).toThrow('ESTALE');
  expect(() => database.append(batch('b'))).toThrow('an earlier call to the disk failed');
  expect(() => database.close()).toThrow('cannot close');
  const again = await open(path);
  expect(listAll(again, ALL).map(({ event_id }) => event_id)).toEqual(['a']);
});

test('takes what it does not know for transient, and repeats no text of SQLite’s', () => {
  const classOf = (code: number) =>
    databaseError('x', new SqliteError('text', code), { refusable: true }).class;
  expect([18, 19, 20].map(classOf)).toEqual(['data', 'data', 'data']);
  const others = [1, 5, 7, 8, 10, 11, 13, 14, 21, 26, 99];
  expect(new Set(others.map(classOf))).toEqual(new Set(['transient']));
  expect(databaseError('x', new SqliteError('text', 19)).class).toBe('transient');
  expect(databaseError('x', new TypeError('text')).reason).toBe('cannot x: TypeError');
  const noRoom = new SqliteError('text', 10, 'ENOSPC');
  expect(databaseError('append', noRoom, { refusable: true }).reason).toBe(
    'cannot append: SQLITE_IOERR (ENOSPC); free space or enlarge the volume',
  );
});
