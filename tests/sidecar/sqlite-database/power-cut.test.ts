import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { AUDIT_EVENT, KINDS } from '../../../sidecar/src/records/kinds.ts';
import { isStoredTime } from '../../../sidecar/src/records/time.ts';
import type { Database } from '../../../sidecar/src/stores/sqlite/database/database.ts';
import type { FileLayer } from '../../../sidecar/src/stores/sqlite/files/file-layer.ts';
import { CUT_MODES, type CutOptions, type CutState, PowerCutDisk } from '../support/power-cut.ts';
import { listAll, openTelling, rowsOf, UPSTREAM } from './harness.ts';

const PATH = '/disk/agenttier.db';
const SECONDS = 1_000;

function openOn(files: FileLayer, checkInFull = false) {
  return openTelling({ path: PATH, files, cacheBytes: 1_000_000, version: '1', checkInFull });
}

function audits(database: Database) {
  const query = { kind: AUDIT_EVENT, filters: new Map(), order: 'asc' as const, limit: 1_000 };
  return listAll(database, query);
}

/** Creation, commits of many sizes, checkpoints, a WAL that starts over, a clean end, a new life. */
async function live(disk: PowerCutDisk<number>): Promise<void> {
  let stored = 0;
  for (let life = 0; life < 3; life++) {
    const database = await openOn(disk.files);
    for (const size of [1, 1, 3, 40, 1, 120, 2, 1]) {
      const records = Array.from({ length: size }, (_, i) => ({
        event_id: `e-${stored + i}`,
        details: 'x'.repeat((stored + i) % 97),
      }));
      database.append(rowsOf(AUDIT_EVENT, records));
      stored += size;
      disk.acknowledge(stored);
      if (size === 3 || size === 120) database.maintain(true);
    }
    database.close();
  }
}

/** What is wrong with the database after a cut; undefined when all is well. */
async function loss(state: CutState<number>, checkInFull: boolean): Promise<string | undefined> {
  const acknowledged = state.acknowledged ?? 0;
  const database = await openOn(state.files(), checkInFull);
  try {
    if (database.notices.length > 0) return `${state}: ${database.notices}`;
    const ids = audits(database).map(({ event_id }) => event_id);
    const expected = ids.map((_, i) => `e-${i}`);
    if (ids.join() !== expected.join()) return `${state}: not the rows that were written`;
    if (ids.length < acknowledged) return `${state}: ${ids.length} of ${acknowledged} rows`;
    const again = rowsOf(AUDIT_EVENT, [{ event_id: 'e-0' }, { event_id: 'after' }]);
    const { duplicates } = database.append(again);
    return duplicates.length === Math.min(1, ids.length) ? undefined : `${state}: no duplicate`;
  } finally {
    database.close();
  }
}

/** Looks at every state that a cut could leave, at equal ones once; in full at some. */
async function examine<Mark>(
  disk: PowerCutDisk<Mark>,
  look: (state: CutState<Mark>, checkInFull: boolean) => Promise<string | undefined>,
  options: CutOptions = {},
) {
  const seen = new Set<string>();
  const losses: string[] = [];
  let points = 0;
  for (const state of disk.cuts(options)) {
    points += 1;
    const { fingerprint } = state;
    if (seen.has(fingerprint)) continue;
    seen.add(fingerprint);
    const lost = await look(state, seen.size % 4 === 0).catch((error) => `${state}: ${error}`);
    if (lost !== undefined) losses.push(lost);
  }
  return { points, losses };
}

test.each(CUT_MODES)(
  'a power cut at any moment loses no acknowledged record and damages nothing, unsynced writes %s',
  async (mode) => {
    const disk = new PowerCutDisk<number>();
    await live(disk);
    const { points, losses } = await examine(disk, loss, { modes: [mode] });
    expect(losses).toEqual([]);
    expect(points).toBeGreaterThan(250);
  },
  120 * SECONDS,
);

test(
  'the same cuts show the loss when nothing is synced',
  async () => {
    const disk = new PowerCutDisk<number>([], { honest: false });
    await live(disk);
    const { losses } = await examine(disk, loss, { every: 7 });
    expect(losses.length).toBeGreaterThan(10);
  },
  120 * SECONDS,
);

test(
  'a second cut, in the middle of the recovery from the first, loses nothing either',
  async () => {
    const disk = new PowerCutDisk<number>();
    await live(disk);
    const losses: string[] = [];
    for (const state of disk.cuts({ every: 41, modes: ['kept', 'torn'] })) {
      const recovering = state.disk<number>();
      recovering.acknowledge(state.acknowledged ?? 0);
      const database = await openOn(recovering.files);
      recovering.acknowledge(audits(database).length);
      database.close();
      losses.push(...(await examine(recovering, loss)).losses);
    }
    expect(losses).toEqual([]);
  },
  120 * SECONDS,
);

test(
  'cut at any moment of an adoption, the next start completes it',
  async () => {
    const disk = new PowerCutDisk([[PATH, readFileSync(UPSTREAM)]]);
    await openOn(disk.files).then((database) => database.close());
    const { points, losses } = await examine(disk, async (state, checkInFull) => {
      const database = await openOn(state.files(), checkInFull);
      try {
        if (database.notices.length > 0) return `${state}: ${database.notices}`;
        for (const kind of KINDS) {
          const query = { kind, filters: new Map(), order: 'asc' as const, limit: 1_000 };
          const items = listAll(database, query);
          const ids = items.map(({ id }) => Number(id)).sort((a, b) => a - b);
          if (ids.length !== 240 || ids[0] !== 1 || ids[239] !== 240) return `${state}: rows lost`;
          if (!items.every(({ ts }) => isStoredTime(`${ts}`))) return `${state}: times as before`;
        }
        return undefined;
      } finally {
        database.close();
      }
    });
    expect(losses).toEqual([]);
    expect(points).toBeGreaterThan(100);
  },
  120 * SECONDS,
);
