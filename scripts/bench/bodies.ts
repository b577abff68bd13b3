import { KINDS, type Kind } from '../../sidecar/src/records/kinds.ts';
import { generateRecords } from '../simulate/generate.ts';
import type { SimulatedRecord } from '../simulate/record.ts';

/** More than any measurement takes. */
const DAYS = 36_500;
const START_MS = Date.UTC(2026, 0, 1);

/** The records that all measurements send. */
function benchRecords(sandboxes: number): Generator<SimulatedRecord, void> {
  return generateRecords({ seed: 'bench', sandboxes, days: DAYS, startMs: START_MS });
}

/**
 * Audit events, one a line, as they happen: a body is sent many times, and the server gives each
 * record its own time and event id. (With a thousand times over and over, every commit would insert
 * in the middle of every index.)
 */
export function* singleBodies(count: number): Generator<string> {
  let given = 0;
  for (const { kind, fields } of benchRecords(100)) {
    if (kind.path !== 'audit-events') continue;
    const { event_id: _, ts: __, ...rest } = fields;
    yield JSON.stringify(rest);
    given += 1;
    if (given === count) return;
  }
}

export interface BatchOf {
  readonly kind: Kind;
  readonly records: readonly SimulatedRecord['fields'][];
}

/** Full batches of one kind each, of all kinds in the proportion in which they occur. */
export function* batches(size: number, sandboxes: number): Generator<BatchOf> {
  const open: SimulatedRecord['fields'][][] = KINDS.map(() => []);
  for (const { kind, fields } of benchRecords(sandboxes)) {
    const records = open[kind.index]!;
    records.push(fields);
    if (records.length < size) continue;
    yield { kind, records };
    open[kind.index] = [];
  }
}
