import { expect } from 'vitest';
import { KINDS } from './kinds.ts';

export type Metrics = ReadonlyMap<string, number>;

export type Term = 'received' | 'stored' | 'duplicate' | 'rejected' | 'dropped';

const ENDS = ['stored', 'duplicate', 'rejected', 'dropped'] as const;

/** A term of the account over all kinds, or of one. */
export function count(metrics: Metrics, term: Term, kind?: string): number {
  return sum(metrics, `agenttier_storage_records_${term}_total`, kind);
}

export function queued(metrics: Metrics, kind?: string): number {
  return sum(metrics, 'agenttier_storage_queue_records', kind);
}

/** Every record that was received is in exactly one place, kind by kind. */
export function expectBalance(metrics: Metrics): void {
  for (const { kind } of KINDS) {
    const ends = ENDS.reduce((total, term) => total + count(metrics, term, kind), 0);
    expect(ends + queued(metrics, kind), kind).toBe(count(metrics, 'received', kind));
  }
}

function sum(metrics: Metrics, family: string, kind?: string): number {
  let total = 0;
  let found = 0;
  for (const [series, value] of metrics) {
    if (!series.startsWith(`${family}{`)) continue;
    if (kind !== undefined && !series.includes(`kind="${kind}"`)) continue;
    total += value;
    found += 1;
  }
  expect(found, family).toBeGreaterThan(0);
  return total;
}
