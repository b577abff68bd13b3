import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { postAudit, RECORD } from '../../support/post.ts';
import type { SidecarProcess } from '../../support/sidecar-process.ts';

/** Waits until storage is up, posts a record, waits for its commit, and reads it back. */
export async function expectRoundTrip(sidecar: SidecarProcess): Promise<void> {
  const readiness = await sidecar.storage('up', 30_000);
  expect(readiness.reason).toBeNull();
  const record = { ...RECORD, event_id: randomUUID() };
  const posted = await postAudit(sidecar.api, record, { prefer: 'wait' });
  expect(posted.status).toBe(201);
  expect(await posted.json()).toMatchObject({ accepted: 1, stored: 1, duplicates: 0 });
  const listed = await fetch(`${sidecar.api}/v1/audit-events?event_id=${record.event_id}`);
  expect(await listed.json()).toMatchObject({ items: [record], next_cursor: null });
}
