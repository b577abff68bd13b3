import type { Ledger } from '../../../../sidecar/src/recorder/ledger.ts';
import {
  AUDIT_EVENT,
  COST_SNAPSHOT,
  KINDS,
  type Kind,
  SANDBOX_EVENT,
} from '../../../../sidecar/src/records/kinds.ts';
import { type Rows, RowWriter } from '../../../../sidecar/src/records/rows.ts';
import { decodeRows } from '../../support/decode-rows.ts';

export { AUDIT_EVENT, COST_SNAPSHOT, SANDBOX_EVENT };

/** Rows of a kind with these event ids. */
export function rowsOf(kind: Kind, ids: readonly string[], padding = 0): Rows {
  const writer = new RowWriter();
  for (const id of ids) {
    const record: Record<string, string | number> = { event_id: id };
    for (const column of kind.columns) {
      if (column.type === 'number') record[column.name] = 1;
    }
    record.sandbox_id = 'x'.repeat(padding);
    writer.add(kind, record);
  }
  return writer.take();
}

/** `count` event ids that begin with a prefix. */
export function ids(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}-${i}`);
}

/** Kind and event id of each row. */
export function readRows(rows: Rows): { kind: Kind; id: string }[] {
  return [...decodeRows(rows)].map(({ kind, values }) => ({ kind, id: String(values.at(-1)) }));
}

const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);

/** The first kind for which the accounts do not balance, if any. */
export function imbalance(ledger: Ledger): string | undefined {
  for (const { index, name } of KINDS) {
    const at = (counts: readonly number[]) => counts[index] ?? Number.NaN;
    const rejected = sum(Object.values(ledger.rejected).map(at));
    const dropped = sum(Object.values(ledger.dropped).map(at));
    const ends = at(ledger.stored) + at(ledger.duplicate) + rejected + dropped;
    const terms = [at(ledger.stored), at(ledger.duplicate), rejected, dropped, at(ledger.queued)];
    if (at(ledger.received) !== ends + at(ledger.queued) || terms.some((term) => term < 0)) {
      return `${name}: ${at(ledger.received)} received, of which ${terms.join(', ')}`;
    }
  }
  return undefined;
}

/** All kinds of a term together. */
export const total = sum;
