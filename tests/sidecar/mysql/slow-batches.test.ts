import { pino } from 'pino';
import { expect, it } from 'vitest';
import { Recorder } from '../../../sidecar/src/recorder/recorder.ts';
import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import { startMariadb } from '../support/mariadb-server.ts';
import { readAll, rowsOf, storeOn } from './harness.ts';

it("a batch whose statement takes longer than the user's max_statement_time goes in parts, in order", {
  timeout: 60_000,
}, async () => {
  await using server = await startMariadb();
  const database = await server.createDatabase();
  const owner = storeOn(server.dsn(database));
  await owner.open();
  await owner[Symbol.asyncDispose]();
  await server.sql(`
    CREATE TRIGGER ${database}.look_up BEFORE INSERT ON ${database}.audit_events
      FOR EACH ROW DO SLEEP(0.002);
    CREATE USER hurried@'%' IDENTIFIED BY 'pw' WITH MAX_STATEMENT_TIME 0.3;
    GRANT SELECT, INSERT, UPDATE ON ${database}.* TO hurried@'%'`);
  await using store = storeOn(server.dsn(database, 'hurried:pw'));
  const recorder = new Recorder({
    store,
    queueBytes: 64 * 1_024 * 1_024,
    log: pino({ level: 'silent' }),
    schedule: { maxRetryMs: 100 },
  });
  recorder.start();
  const ids = Array.from({ length: 600 }, (_, i) => `row-${i}`);
  const rows = rowsOf(AUDIT_EVENT, ids.length, (i) => ({ event_id: ids[i] as string }));
  const submitted = recorder.submit(AUDIT_EVENT, rows, true);
  if (submitted.outcome !== 'queued') throw new Error(submitted.outcome);
  expect(await submitted.settled).toEqual({ stored: 600, duplicates: 0, dropped: [] });
  expect((await readAll(store)).map(({ event_id }) => event_id)).toEqual(ids);
  expect(recorder.failures.transient).toBeGreaterThan(0);
  expect(recorder.failures.transient).toBeLessThan(3 + 2 * Math.log2(600));
  await recorder.close(AbortSignal.timeout(2_000));
});
