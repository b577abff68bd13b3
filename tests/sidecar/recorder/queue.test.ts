import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Parcel } from '../../../sidecar/src/recorder/parcel.ts';
import { Queue } from '../../../sidecar/src/recorder/queue.ts';
import { AUDIT_EVENT, ids, readRows, rowsOf } from './support/records.ts';

const action = fc.oneof(
  fc.record({ push: fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 90 }) }),
  fc.record({ rows: fc.integer({ min: 1, max: 60 }), bytes: fc.integer({ min: 1, max: 3_000 }) }),
);

describe('the queue of parcels', () => {
  it('gives each row once, in order, up to the caps and never nothing', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        const queue = new Queue();
        const pushed: string[] = [];
        const taken: string[] = [];
        const take = (maxRows: number, maxBytes: number) => {
          const wasEmpty = queue.isEmpty;
          const slices = queue.take(maxRows, maxBytes);
          expect(slices.length === 0).toBe(wasEmpty);
          let rows = 0;
          let bytes = 0;
          for (const slice of slices) {
            rows += slice.rows;
            bytes += slice.end - slice.start;
            const part = slice.parcel.rows.bytes.subarray(slice.start, slice.end);
            taken.push(...readRows({ bytes: part, count: slice.rows }).map(({ id }) => id));
          }
          expect(rows).toBeLessThanOrEqual(maxRows);
          if (rows > 1) expect(bytes).toBeLessThanOrEqual(maxBytes);
          expect(queue.isEmpty).toBe(taken.length === pushed.length);
        };
        for (const step of actions) {
          if ('push' in step) {
            for (const count of step.push) {
              const names = ids(`p${pushed.length}`, count);
              pushed.push(...names);
              queue.push(new Parcel(AUDIT_EVENT, rowsOf(AUDIT_EVENT, names), 0));
            }
          } else {
            take(step.rows, step.bytes);
          }
        }
        while (!queue.isEmpty) take(10, 1_000);
        expect(taken).toEqual(pushed);
        expect(queue.first).toBeUndefined();
      }),
    );
  });

  it('stays in order when it has grown large and is emptied', () => {
    const queue = new Queue();
    for (let round = 0; round < 2; round++) {
      const parcels = ids(`r${round}`, 5_000).map(
        (id) => new Parcel(AUDIT_EVENT, rowsOf(AUDIT_EVENT, [id]), 0),
      );
      for (const parcel of parcels) queue.push(parcel);
      const taken = queue.take(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
      expect(taken.map(({ parcel }) => parcel)).toEqual(parcels);
      expect(queue.isEmpty).toBe(true);
    }
  });
});
