import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FaultFiles } from '../support/fault-files.ts';
import { openWal } from './open-wal.ts';
import { testDirectory } from './test-directory.ts';

test('what is sorted goes through files beside the database, not through memory or /tmp', async () => {
  const directory = testDirectory();
  const counted = new FaultFiles();
  const path = join(directory, 'a.db');
  const connection = await openWal({ path, files: counted.files }, 'PRAGMA cache_size=50');
  connection.exec(`CREATE TABLE t(a TEXT); INSERT INTO t
    WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 20000)
    SELECT hex(randomblob(200)) FROM c`);
  const before = process.memoryUsage().arrayBuffers;
  counted.forgetCounts();
  connection.exec('CREATE INDEX t_a ON t(a)');
  const temporary = new RegExp(`^${directory}/etilqs_`);
  expect(counted.count('open', temporary)).toBeGreaterThan(0);
  expect(counted.count('write', temporary)).toBeGreaterThan(100);
  // 8 MB were sorted; Emscripten's file system would keep them in such buffers.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4_000_000);
  expect(counted.openPaths.filter((open) => temporary.test(open))).toEqual([]);
  connection.close();
});
