import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { postAudit, RECORD } from '../support/post.ts';
import { startSidecar } from '../support/sidecar-process.ts';
import { until } from '../support/sqlite-store.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const LANES = 4;
const POSTS = 400;

function percentile99(times: number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] as number;
}

it('a POST takes no longer while the database is down or hangs than without one', {
  timeout: 60_000,
}, async () => {
  await using directory = await temporaryDirectory();
  mkdirSync(directory.path('directory.db'));
  const hanging = directory.path('hanging.db');
  await using none = await startSidecar({ STORAGE_DRIVER: 'none' });
  await using down = await startSidecar({ STORAGE_SQLITE_PATH: directory.path('directory.db') });
  // Opening a FIFO waits for its other end, which nobody ever opens.
  execFileSync('mkfifo', [`${hanging}.lock`]);
  await using hung = await startSidecar({
    STORAGE_SQLITE_PATH: hanging,
    STORAGE_SHUTDOWN_GRACE: '1s',
  });
  await down.storage('down');
  await hung.storage('down');

  const sidecars = [none, down, hung];
  const times: number[][] = sidecars.map(() => []);
  // Turn and turn about, so that whatever else this machine does falls on all alike.
  const lane = async () => {
    for (let n = 0; n < POSTS; n += 1) {
      for (const [which, { api }] of sidecars.entries()) {
        const startedAt = performance.now();
        const response = await postAudit(api, RECORD);
        await response.text();
        expect(response.status).toBe(202);
        times[which]?.push(performance.now() - startedAt);
      }
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));

  // Both were what they are called, to the end.
  expect((await down.readiness()).storage).toBe('down');
  await until(async () => (await hung.readiness()).reason?.includes('hung for'));

  const [without = 0, whileDown, whileHung] = times.map(percentile99);
  expect(whileDown).toBeLessThanOrEqual(10 * without);
  expect(whileHung).toBeLessThanOrEqual(10 * without);
});
