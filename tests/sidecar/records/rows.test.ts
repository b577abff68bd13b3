import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KINDS, type Kind } from '../../../sidecar/src/records/kinds.ts';
import {
  freeBytes,
  RowWriter,
  rowOffsets,
  type ValidRecord,
} from '../../../sidecar/src/records/rows.ts';
import { decodeRows } from '../support/decode-rows.ts';

/** Texts of all lengths and scripts; well-formed, as validation guarantees. */
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 80 }),
  fc.string({ unit: 'binary-ascii', maxLength: 200 }),
  fc.integer({ min: 40, max: 70 }).map((n) => `${'a'.repeat(n)}ü`),
);

function recordOf(kind: Kind): fc.Arbitrary<{ kind: Kind; record: ValidRecord }> {
  const fields: Record<string, fc.Arbitrary<string | number>> = {};
  for (const column of kind.columns) {
    fields[column.name] =
      column.type === 'number' ? fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }) : text;
  }
  return fc.record(fields).map((record) => ({ kind, record }));
}

describe('rows', () => {
  it('read back exactly what was written, whatever the kinds and texts', () => {
    const any = fc.array(fc.oneof(...KINDS.map(recordOf)), { maxLength: 30 });
    fc.assert(
      fc.property(any, (records) => {
        const writer = new RowWriter();
        for (const { kind, record } of records) writer.add(kind, record);
        const rows = writer.take();
        const read = [...decodeRows(rows)];
        expect(read).toEqual(
          records.map(({ kind, record }) => ({
            kind,
            values: kind.columns.map((column) => record[column.name]),
          })),
        );
        expect(rowOffsets(rows).at(-1)).toBe(rows.bytes.length);
      }),
    );
  });

  it('start anew after they were taken, and do not share memory with what was taken', () => {
    const kind = KINDS[0] as Kind;
    const record = (actor: string) =>
      Object.fromEntries(kind.columns.map((c) => [c.name, c.name === 'actor' ? actor : 'x']));
    const writer = new RowWriter();
    writer.add(kind, record('first'));
    const first = writer.take();
    writer.add(kind, record('other'));
    expect(writer.take().count).toBe(1);
    expect([...decodeRows(first)][0]?.values[1]).toBe('first');
    expect(writer.bytes).toBe(0);
  });

  it('of requests that take turns stay apart, whatever becomes of the memory they were written in', () => {
    const kind = KINDS[0] as Kind;
    const record = (actor: string, size: number) =>
      Object.fromEntries(
        kind.columns.map((c) => [c.name, c.name === 'actor' ? actor : actor.repeat(size)]),
      );
    for (let round = 0; round < 5; round++) {
      const writers = ['a', 'b', 'c'].map((actor) => ({ actor, writer: new RowWriter() }));
      // Past the size at which memory is kept for the next request, in the last round.
      const size = round < 4 ? 5_000 : 200_000;
      for (const { actor, writer } of [...writers, ...writers]) {
        writer.add(kind, record(actor, size));
      }
      const taken = writers.map(({ actor, writer }) => ({ actor, rows: writer.take() }));
      for (const { writer } of writers) writer.add(kind, record('d', size));
      for (const { actor, rows } of taken) {
        const values = kind.columns.map((c) => record(actor, size)[c.name]);
        expect([...decodeRows(rows)].map((row) => row.values)).toEqual([values, values]);
      }
    }
  });

  it('free their memory when they own it, and leave alone what they share', () => {
    const own = Buffer.allocUnsafeSlow(10);
    freeBytes(own);
    expect(own.length).toBe(0);
    expect(() => freeBytes(own)).not.toThrow();
    const shared = Buffer.from('some text').subarray(5);
    freeBytes(shared);
    expect(shared.toString()).toBe('text');
  });

  it('that do not fill their buffer are refused', () => {
    const writer = new RowWriter();
    writer.add(KINDS[2] as Kind, { ts: 't', sandbox_id: 's', cpu_hours: 1 });
    const rows = writer.take();
    expect(() => rowOffsets({ bytes: rows.bytes, count: 0 })).toThrow(RangeError);
    const cut = rows.bytes.subarray(0, rows.bytes.length - 1);
    expect(() => rowOffsets({ bytes: cut, count: 1 })).toThrow(RangeError);
  });
});
