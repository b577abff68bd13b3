import { spawnSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { FaultFiles } from '../support/fault-files.ts';
import { open, temporaryPath } from './harness.ts';

const SOURCES = fileURLToPath(new URL('../../../sidecar/src/stores/sqlite/', import.meta.url));
const NOBODY = 65_534;

/** Opens a database in a process that may do no more than its user, and tells the reason. */
function openUnprivileged(path: string): string {
  const script = `
    const { Database } = await import('${SOURCES}database/database.ts');
    const { nodeFiles } = await import('${SOURCES}files/node-files.ts');
    await Database.open({ path: process.argv[1], files: nodeFiles, cacheBytes: 1e6, version: '1' })
      .then(() => console.log('opened'), (error) => console.log(error.class, error.reason));`;
  const user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  const options = { ...user, env: { NODE_NO_WARNINGS: '1' } };
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', script, path],
    options,
  );
  return `${stdout}${stderr}`.trim();
}

test('says what to do when the file may not be written', async () => {
  const path = temporaryPath();
  await open(path).then((database) => database.close());
  chmodSync(dirname(path), 0o777);
  chmodSync(path, 0o444);
  expect(openUnprivileged(path)).toMatch(/^transient cannot open .*: EACCES; let the process/);
});

test('says what to do when the directory may not be written', async () => {
  const path = temporaryPath();
  chmodSync(dirname(path), 0o555);
  expect(openUnprivileged(path)).toMatch(
    /^transient cannot open .*: SQLITE_CANTOPEN.*; (let the process|check that the directory)/,
  );
  const closed = temporaryPath();
  await open(closed).then((database) => database.close());
  chmodSync(closed, 0o666);
  chmodSync(dirname(closed), 0o555);
  expect(openUnprivileged(closed)).toMatch(/^transient cannot open .*; (let the process|check)/);
});

test('says what to do when the volume is mounted read-only', async () => {
  const path = temporaryPath();
  await open(path).then((database) => database.close());
  const faults = new FaultFiles();
  faults.inject({ call: 'access', path: /\.db$/, code: 'EROFS' });
  await expect(open(path, { files: faults.files })).rejects.toMatchObject({
    class: 'transient',
    reason: expect.stringContaining('the volume is mounted read-only: mount it writable'),
  });
});
