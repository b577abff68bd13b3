import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { expect, test } from 'vitest';
import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import type { DatabaseError } from '../../../sidecar/src/stores/sqlite/database/database-error.ts';
import { integrity, listAll, open, rowsOf, temporaryPath } from './harness.ts';

const NOW = Date.UTC(2026, 10, 23, 9, 0, 0, 5);
const ASIDE = 'agenttier.db.corrupt-20261123T090000.005Z';
const now = () => NOW;
const ALL = { kind: AUDIT_EVENT, filters: new Map(), order: 'asc' as const, limit: 1_000 };

for (const [what, content] of [
  ['text', Buffer.from('Dear diary, '.repeat(1_000))],
  ['a short text', Buffer.from('x')],
  ['zeros', Buffer.alloc(8_192)],
  ['a header and rubbish', Buffer.from(`SQLite format 3\0${'rubbish '.repeat(1_000)}`)],
] as const) {
  test(`a file that is ${what} is moved aside whole, and recording goes on in a new one`, async () => {
    const path = temporaryPath();
    writeFileSync(path, content);
    const database = await open(path, { now });
    expect(database.notices).toEqual([expect.stringContaining(`moved to ${ASIDE}`)]);
    database.append(rowsOf(AUDIT_EVENT, [{}]));
    database.close();
    expect(readdirSync(dirname(path)).sort()).toEqual(['agenttier.db', ASIDE]);
    expect(readFileSync(`${dirname(path)}/${ASIDE}`).equals(content)).toBe(true);
    expect(integrity(path)).toEqual(['ok']);
  });
}

test('an empty file is a new database', async () => {
  const path = temporaryPath();
  writeFileSync(path, '');
  const database = await open(path);
  expect(database.notices).toEqual([]);
  database.append(rowsOf(AUDIT_EVENT, [{}]));
});

test('never overwrites what was moved aside before', async () => {
  const path = temporaryPath();
  for (const text of ['first', 'second', 'third']) {
    writeFileSync(path, text);
    await open(path, { now }).then((database) => database.close());
  }
  const aside = readdirSync(dirname(path)).filter((name) => name.startsWith(ASIDE));
  const texts = aside.map((name) => readFileSync(`${dirname(path)}/${name}`, 'utf8'));
  expect(texts.sort()).toEqual(['first', 'second', 'third']);
});

test('a WAL or journal without its database is moved aside, not deleted', async () => {
  const path = temporaryPath();
  writeFileSync(`${path}-wal`, 'frames');
  writeFileSync(`${path}-journal`, 'pages');
  const database = await open(path, { now });
  expect(database.notices).toEqual([expect.stringContaining(`${ASIDE}-wal and ${ASIDE}-journal`)]);
  expect(readFileSync(`${dirname(path)}/${ASIDE}-wal`, 'utf8')).toBe('frames');
  expect(readFileSync(`${dirname(path)}/${ASIDE}-journal`, 'utf8')).toBe('pages');
});

test('a WAL beside an empty database is moved aside, which SQLite would delete', async () => {
  const path = temporaryPath();
  writeFileSync(path, '');
  writeFileSync(`${path}-wal`, 'frames');
  const database = await open(path, { now });
  expect(database.notices).toEqual([expect.stringContaining(`${ASIDE}-wal`)]);
  expect(readFileSync(`${dirname(path)}/${ASIDE}-wal`, 'utf8')).toBe('frames');
});

test('companions go with the file that is moved aside', async () => {
  const path = temporaryPath();
  writeFileSync(path, 'no database at all');
  writeFileSync(`${path}-wal`, 'frames');
  await open(path, { now }).then((database) => database.close());
  expect(readFileSync(`${dirname(path)}/${ASIDE}-wal`, 'utf8')).toBe('frames');
  expect(existsSync(`${path}-wal`)).toBe(false);
});

/** A file of some 100 pages whose leaves in the middle are overwritten. */
async function damaged(): Promise<string> {
  const path = temporaryPath();
  const database = await open(path);
  for (let n = 0; n < 20; n++) {
    database.append(rowsOf(AUDIT_EVENT, Array(200).fill({ details: 'x'.repeat(100) })));
  }
  database.close();
  const content = readFileSync(path);
  content.fill(0xaa, 30 * 4_096, content.length - 4_096);
  writeFileSync(path, content);
  return path;
}

test('damage that shows only later is named, and the opening after it moves the file aside', async () => {
  const path = await damaged();
  const first = await open(path);
  expect(first.notices).toEqual([]);
  let met: DatabaseError | undefined;
  try {
    listAll(first, ALL);
  } catch (error) {
    met = error as DatabaseError;
  }
  expect(met).toMatchObject({ class: 'transient', corrupt: true });
  try {
    first.close();
  } catch {
    // It may refuse; its files are closed.
  }
  const second = await open(path, { now, checkInFull: true });
  expect(second.notices).toEqual([expect.stringContaining(ASIDE)]);
  second.append(rowsOf(AUDIT_EVENT, [{}]));
  expect(listAll(second, ALL)).toHaveLength(1);
  expect(readdirSync(dirname(path))).toContain(basename(ASIDE));
});

test('a full check of a file in order leaves it in place', async () => {
  const path = temporaryPath();
  const database = await open(path);
  database.append(rowsOf(AUDIT_EVENT, [{}]));
  database.close();
  const again = await open(path, { checkInFull: true });
  expect(again.notices).toEqual([]);
  expect(listAll(again, ALL)).toHaveLength(1);
});

test('a file cut short is moved aside at the full check', async () => {
  const path = await damaged();
  truncateSync(path, 20 * 4_096);
  const database = await open(path, { now, checkInFull: true });
  expect(database.notices).toEqual([expect.stringContaining(ASIDE)]);
});
