import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { postAudit, RECORD } from '../support/post.ts';
import { startSidecar } from '../support/sidecar-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

async function anonymousMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^RssAnon:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}

it('keeps nothing, loads nothing, and needs at most 30 MB of its own while idle', async () => {
  await using directory = await temporaryDirectory();
  await using sidecar = await startSidecar({}, { cwd: directory.root });
  await sleep(1_000);
  expect(await anonymousMiB(sidecar.pid)).toBeLessThanOrEqual(30);
  expect(await anonymousMiB(sidecar.pid)).toBeGreaterThan(1);

  const { storage, driver, reason, last_write_age_seconds, warnings } = await sidecar.readiness();
  expect({ storage, driver, reason, last_write_age_seconds, warnings }).toEqual({
    storage: 'noop',
    driver: 'none',
    reason: null,
    last_write_age_seconds: null,
    warnings: [],
  });
  const response = await postAudit(sidecar.api, RECORD, { Prefer: 'wait=5' });
  expect(response.status).toBe(202);
  const list = await (await fetch(`${sidecar.api}/v1/audit-events`)).json();
  expect(list).toEqual({ items: [], next_cursor: null });
  const dropped = 'agenttier_storage_records_dropped_total{kind="audit_event",reason="noop"}';
  expect((await sidecar.metrics()).get(dropped)).toBe(1);
  expect(await readdir(directory.root)).toEqual([]);
  const threads = await readdir(`/proc/${sidecar.pid}/task`);
  const names = await Promise.all(
    threads.map((thread) => readFile(`/proc/${sidecar.pid}/task/${thread}/comm`, 'utf8')),
  );
  expect(names.join()).not.toContain('sqlite');
});
