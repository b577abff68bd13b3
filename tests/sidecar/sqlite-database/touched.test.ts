import {
  appendFileSync,
  copyFileSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import { unknownOwner } from '../../../sidecar/src/stores/sqlite/database/wal-owner.ts';
import { FaultFiles } from '../support/fault-files.ts';
import { integrity, listAll, open, rowsOf, temporaryPath } from './harness.ts';

const MIB = 1_024 * 1_024;
const NOW = Date.UTC(2026, 10, 23, 9, 0, 0, 5);
const ASIDE = 'agenttier.db.corrupt-20261123T090000.005Z';
const now = () => NOW;
const ALL = { kind: AUDIT_EVENT, filters: new Map(), order: 'asc' as const, limit: 1_000 };

const batch = (prefix: string, count: number) =>
  rowsOf(
    AUDIT_EVENT,
    Array.from({ length: count }, (_, n) => ({ event_id: `${prefix}-${n}` })),
  );
const idsOf = (database: Parameters<typeof listAll>[0]) =>
  listAll(database, ALL).map(({ event_id }) => event_id);

describe('a WAL that somebody cuts while it is open', () => {
  it.for([
    ['empties it', (wal: string) => truncateSync(wal, 0)],
    ['cuts it in its middle', (wal: string) => truncateSync(wal, 20_000)],
  ] as const)('is noticed before the next commit: %s', async ([, cut]) => {
    const path = temporaryPath();
    const walOwner = unknownOwner();
    const first = await open(path, { walOwner });
    first.append(batch('kept', 100));
    first.maintain();
    first.append(batch('lost', 100));
    cut(`${path}-wal`);
    const reason = 'agenttier.db-wal was overwritten or cut while it was open';
    expect(() => first.append(batch('after', 1))).toThrow(
      expect.objectContaining({
        class: 'transient',
        corrupt: true,
        message: expect.stringContaining(reason),
      }),
    );
    expect(first.notices).toEqual([
      expect.stringMatching(/^agenttier\.db-wal was overwritten or cut by another program/),
    ]);
    // No checkpoint moves what is not there any more, not even at the end of the connection.
    const database = readFileSync(path);
    expect(() => first.close()).toThrow();
    expect(readFileSync(path)).toEqual(database);

    const next = await open(path, { walOwner, checkInFull: true });
    next.append(batch('after', 1));
    const ids = idsOf(next);
    expect(ids.slice(0, 100)).toEqual(Array.from({ length: 100 }, (_, n) => `kept-${n}`));
    expect(ids.at(-1)).toBe('after-0');
    next.close();
    expect(integrity(path)).toEqual(['ok']);
  });

  it('is noticed at the commit that was written behind the hole', async () => {
    const path = temporaryPath();
    let isCutting = false;
    const first = await open(path, {
      // Between the look at the files and the write.
      beforeWrite: () => {
        if (isCutting) truncateSync(`${path}-wal`, 0);
        isCutting = false;
      },
    });
    first.append(batch('a', 100));
    isCutting = true;
    expect(() => first.append(batch('b', 1))).toThrow('agenttier.db-wal was overwritten or cut');
  });

  it('is noticed before a checkpoint, and by a trial write', async () => {
    for (const act of ['maintain', 'probe'] as const) {
      const path = temporaryPath();
      const database = await open(path);
      database.append(batch('a', 10));
      truncateSync(`${path}-wal`, 0);
      expect(() => database[act]()).toThrow('agenttier.db-wal was overwritten or cut');
    }
  });
});

it('does not take for it what SQLite cuts itself, as it takes back a commit that found no room', async () => {
  const path = temporaryPath();
  const wal = `${path}-wal`;
  const faults = new FaultFiles();
  const database = await open(path, { files: faults.files });
  const details = 'x'.repeat(20_000);
  for (let n = 0; statSync(wal).size < 52 * MIB; n += 100) {
    const rows = Array.from({ length: 100 }, (_, m) => ({ event_id: `e-${n + m}`, details }));
    database.append(rowsOf(AUDIT_EVENT, rows));
  }
  // The next commit begins the WAL anew: its header finds room, and its frames find none.
  expect(database.maintain(false)).toBe('done');
  faults.inject({ call: 'write', path: /-wal$/, after: 1, code: 'ENOSPC' });
  expect(() => database.append(batch('full', 1))).toThrow(
    expect.objectContaining({ inDoubt: false }),
  );
  expect(statSync(wal).size).toBeLessThan(50 * MIB);

  expect(database.append(batch('after', 1))).toEqual({ duplicates: [] });
  expect(database.notices).toEqual([]);
  database.close();
  expect(integrity(path)).toEqual(['ok']);
});

describe('a database that somebody writes to in place while it is open', () => {
  it('is opened as it is now, and the WAL of the former state is moved aside', async () => {
    const path = temporaryPath();
    const walOwner = unknownOwner();
    const first = await open(path, { walOwner });
    first.append(batch('old', 100));
    first.maintain();
    copyFileSync(path, `${path}.backup`);
    first.append(batch('more', 2_000));
    first.maintain();
    first.append(batch('wal', 10));
    const backup = readFileSync(`${path}.backup`);
    copyFileSync(`${path}.backup`, path);
    expect(() => first.append(batch('after', 1))).toThrow(
      expect.objectContaining({
        corrupt: true,
        message: expect.stringContaining('was overwritten or cut while it was open'),
      }),
    );
    expect(first.notices).toEqual([]);
    expect(() => first.close()).toThrow();
    expect(readFileSync(path)).toEqual(backup);

    const next = await open(path, { walOwner, now, checkInFull: true });
    expect(next.notices).toEqual([expect.stringContaining(`moved to ${ASIDE}-wal`)]);
    next.append(batch('after', 1));
    expect(idsOf(next)).toEqual([...Array.from({ length: 100 }, (_, n) => `old-${n}`), 'after-0']);
    next.close();
    expect(integrity(path)).toEqual(['ok']);
    expect(readdirSync(dirname(path)).sort()).toEqual([
      'agenttier.db',
      'agenttier.db.backup',
      `${ASIDE}-wal`,
    ]);
  });

  it.for([
    ['emptied', (path: string) => writeFileSync(path, '')],
    ['longer', (path: string) => appendFileSync(path, Buffer.alloc(4_096))],
  ] as const)('is noticed before a checkpoint when it is %s', async ([, change]) => {
    const path = temporaryPath();
    const database = await open(path);
    database.append(batch('a', 10));
    change(path);
    expect(() => database.maintain()).toThrow('was overwritten or cut while it was open');
  });

  it('is told from one whose time alone was set', async () => {
    const path = temporaryPath();
    const database = await open(path);
    database.append(batch('a', 10));
    utimesSync(path, new Date(0), new Date(0));
    database.append(batch('b', 10));
    database.maintain();
    utimesSync(path, new Date(), new Date());
    database.probe();
    database.close();
    expect(integrity(path)).toEqual(['ok']);
  });
});

it('tells of a database that was deleted or replaced though its WAL held nothing', async () => {
  for (const [what, harm] of [
    ['deleted', undefined],
    ['replaced', 'older'],
  ] as const) {
    const path = temporaryPath();
    const first = await open(path, { walOwner: unknownOwner() });
    first.append(batch('a', 10));
    first.maintain();
    copyFileSync(path, `${path}.older`);
    first.append(batch('b', 10));
    first.maintain();
    if (harm === undefined) rmSync(path);
    else renameSync(`${path}.older`, path);
    expect(() => first.probe()).toThrow('was deleted or replaced while it was open');
    expect(first.notices).toEqual([
      expect.stringMatching(new RegExp(`^agenttier\\.db was ${what} while it was open`)),
    ]);
  }
});
