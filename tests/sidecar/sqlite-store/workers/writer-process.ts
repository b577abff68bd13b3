/**
 * A process that writes to one database for as long as it can, as a sidecar's recorder does, and
 * tells what happens in JSON lines on stdout: `{"opened":true}`, `{"acknowledged":"w1-7"}`,
 * `{"failed":"..."}`.
 *
 * Arguments: path of the database, prefix of the event ids, milliseconds between two records.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { AUDIT_EVENT } from '../../../../sidecar/src/records/kinds.ts';
import { RowWriter } from '../../../../sidecar/src/records/rows.ts';
import { sqliteStore } from '../../../../sidecar/src/stores/sqlite/sqlite-store.ts';
import { StoreError } from '../../../../sidecar/src/stores/store-error.ts';

const [path = '', prefix = '', pause = '10'] = process.argv.slice(2);
const store = sqliteStore({
  path,
  cacheBytes: 8 << 20,
  version: '0.0.0-test',
  log: pino({ level: 'silent' }),
});

function tell(line: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

let stopping = false;
process.on('SIGTERM', () => {
  stopping = true;
});

let number = 0;
while (!stopping) {
  try {
    await store.open();
    tell({ opened: true });
    while (!stopping) {
      const event_id = `${prefix}-${number}`;
      const writer = new RowWriter();
      writer.add(AUDIT_EVENT, {
        ts: '2026-11-23T09:41:46.610360000Z',
        actor: 'ana',
        action: 'create',
        resource: 'sandbox',
        sandbox_id: 'sbx',
        details: '',
        event_id,
      });
      await store.append(writer.take());
      tell({ acknowledged: event_id });
      number += 1;
      await sleep(Number(pause));
    }
  } catch (error) {
    tell({ failed: error instanceof StoreError ? error.reason : String(error) });
    await sleep(200);
  }
}
await store.close(AbortSignal.timeout(5_000));
tell({ closed: true });
