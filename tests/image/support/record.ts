import { expect } from 'vitest';
import type { SidecarProcess } from '../../sidecar/support/sidecar-process.ts';

/** Posts one record, waits until it is durable, and reads it back. */
export async function expectToKeepARecord(sidecar: SidecarProcess): Promise<void> {
  await sidecar.storage('up');
  const record = { actor: 'alice', action: 'create', resource: 'sandbox', sandbox_id: 'sbx-1' };
  const posted = await fetch(`${sidecar.api}/v1/audit-events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', prefer: 'wait=10' },
    body: JSON.stringify(record),
  });
  expect(posted.status).toBe(201);
  const list = await fetch(`${sidecar.api}/v1/audit-events?sandbox_id=sbx-1`);
  expect(await list.json()).toMatchObject({ items: [record] });
}
