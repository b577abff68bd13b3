import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import { verify } from '../../../sidecar/src/stores/sqlite/database/verify.ts';
import { nodeFiles } from '../../../sidecar/src/stores/sqlite/files/node-files.ts';
import { open, rowsOf, temporaryPath, upstreamCopy, withNodeSqlite } from './harness.ts';

const look = (path: string) => verify({ path, files: nodeFiles, cacheBytes: 1_000_000 });

async function closedFile(): Promise<string> {
  const path = temporaryPath();
  const database = await open(path, { version: '3.2.1' });
  database.append(rowsOf(AUDIT_EVENT, Array(500).fill({ details: 'x'.repeat(200) })));
  database.close();
  return path;
}

test('tells of a file in order what is in it, and leaves it as it is', async () => {
  const path = await closedFile();
  const before = readFileSync(path);
  expect(await look(path)).toEqual({
    problems: [],
    bytes: before.length,
    walBytes: 0,
    meta: { schemaVersion: 1, minWriterVersion: 1, writtenBy: '3.2.1' },
    rows: { audit_events: 500, sandbox_events: 0, cost_snapshots: 0 },
  });
  expect(readFileSync(path).equals(before)).toBe(true);
});

test('finds damage anywhere in the file and does not touch it', async () => {
  const path = await closedFile();
  const content = readFileSync(path);
  content.fill(0x55, content.length - 5 * 4_096);
  writeFileSync(path, content);
  const { problems } = await look(path);
  expect(problems.length).toBeGreaterThan(0);
  expect(readFileSync(path).equals(content)).toBe(true);
});

test('finds missing tables, columns and indexes, and an index that lies', async () => {
  const path = await closedFile();
  withNodeSqlite(path, (other) =>
    other.exec(`DROP TABLE cost_snapshots; DROP INDEX audit_events_by_ts;
                ALTER TABLE sandbox_events DROP COLUMN message`),
  );
  expect((await look(path)).problems).toEqual([
    'the index audit_events_by_ts is missing or differs; the next start makes it',
    'sandbox_events lacks the column message',
    'the table cost_snapshots is missing',
  ]);
});

test('says of upstream’s file and of text what they are', async () => {
  expect((await look(upstreamCopy())).problems).toContain('no sidecar has used this file yet');
  const path = temporaryPath();
  writeFileSync(path, 'Dear diary, '.repeat(100));
  const { problems, meta } = await look(path);
  expect(problems[0]).toBe('the file is damaged or not a database');
  expect(meta).toBeNull();
});

test('finds commits behind damage in the WAL, and leaves the WAL to the next start', async () => {
  const path = temporaryPath();
  const database = await open(path);
  for (let n = 0; n < 50; n++) database.append(rowsOf(AUDIT_EVENT, [{}]));
  const copy = temporaryPath();
  writeFileSync(copy, readFileSync(path));
  const wal = readFileSync(`${path}-wal`);
  wal.writeUInt8(wal.readUInt8(100_000) ^ 1, 100_000);
  writeFileSync(`${copy}-wal`, wal);
  const { problems } = await look(copy);
  expect(problems).toEqual([expect.stringMatching(/^\d+ commits in the WAL cannot be read/)]);
  expect(readFileSync(`${copy}-wal`).equals(wal)).toBe(true);
  expect((await open(copy)).notices).toEqual([expect.stringContaining('A copy is ')]);
});

test('says of a WAL whose header is damaged that it cannot be read, and leaves it', async () => {
  const path = temporaryPath();
  const database = await open(path);
  for (let n = 0; n < 20; n++) database.append(rowsOf(AUDIT_EVENT, [{}]));
  const copy = temporaryPath();
  writeFileSync(copy, readFileSync(path));
  const wal = readFileSync(`${path}-wal`);
  wal.writeUInt8(wal.readUInt8(20) ^ 1, 20);
  writeFileSync(`${copy}-wal`, wal);
  const { problems } = await look(copy);
  expect(problems).toEqual([expect.stringContaining('the header of the WAL is damaged')]);
  expect(readFileSync(`${copy}-wal`).equals(wal)).toBe(true);
  expect((await open(copy)).notices).toEqual([expect.stringContaining('A copy is ')]);
});

test('leaves the WAL of an empty database', async () => {
  const path = temporaryPath();
  writeFileSync(path, '');
  writeFileSync(`${path}-wal`, 'frames');
  expect((await look(path)).problems).toEqual([expect.stringContaining('is empty')]);
  expect(readFileSync(`${path}-wal`, 'utf8')).toBe('frames');
});

test('makes no file where there is none', async () => {
  const path = temporaryPath();
  await expect(look(path)).rejects.toThrow('there is no file');
  expect(nodeFiles.exists(path)).toBe(false);
});
