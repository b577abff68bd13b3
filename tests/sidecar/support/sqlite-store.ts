import { existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DestinationStream, pino } from 'pino';
import { onTestFinished } from 'vitest';
import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import type { ListQuery, Position } from '../../../sidecar/src/records/list.ts';
import { type Rows, RowWriter } from '../../../sidecar/src/records/rows.ts';
import { sqliteStore } from '../../../sidecar/src/stores/sqlite/sqlite-store.ts';
import type { Store } from '../../../sidecar/src/stores/store.ts';

/** The worker of the built sidecar. */
export const BUILT_WORKER = new URL('../../../sidecar/dist/sqlite-worker.mjs', import.meta.url);

export interface TestStoreOptions {
  readonly workerUrl?: URL;
  readonly log?: DestinationStream;
}

/** A database path in a fresh directory, which goes when the test ends. */
export function databasePath(): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'sqlite-store-')));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, 'agenttier.db');
}

/** A SQLite store that is closed when the test ends. */
export function testStore(path: string, options: TestStoreOptions = {}): Store {
  const workerUrl = options.workerUrl ?? BUILT_WORKER;
  if (!existsSync(workerUrl)) throw new Error('run `npm run build` first');
  const log = options.log === undefined ? pino({ level: 'silent' }) : pino(options.log);
  const store = sqliteStore({ path, cacheBytes: 8 << 20, version: '0.0.0-test', log, workerUrl });
  // What was left behind by what the test broke is its own affair.
  onTestFinished(() => store.close(AbortSignal.timeout(2_000)).catch(() => {}));
  return store;
}

/** Audit events with these event ids. */
export function auditRows(...eventIds: string[]): Rows {
  const writer = new RowWriter();
  for (const event_id of eventIds) {
    writer.add(AUDIT_EVENT, {
      ts: '2026-11-23T09:41:46.610360000Z',
      actor: 'ana@example.com',
      action: 'create',
      resource: 'sandbox',
      sandbox_id: 'sbx-1',
      details: '',
      event_id,
    });
  }
  return writer.take();
}

/** The event ids of all audit events, oldest id first. */
export async function storedIds(store: Store): Promise<string[]> {
  const ids: string[] = [];
  let after: Position | null = null;
  do {
    const query: ListQuery = {
      kind: AUDIT_EVENT,
      filters: new Map(),
      order: 'asc',
      limit: 1_000,
      ...(after === null ? {} : { after }),
    };
    const page = await store.list(query);
    for (const item of page.items) ids.push(String(item.event_id));
    after = page.next;
  } while (after !== null);
  return ids;
}

/** Looks every 20 ms until the condition holds. */
export async function until<T>(
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = 20_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
