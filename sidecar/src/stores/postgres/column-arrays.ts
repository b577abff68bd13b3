/**
 * A batch turned from rows to columns, as Postgres' arrays in their binary form: a text is copied
 * as the bytes that it is, a number bit for bit, and nothing is escaped or parsed.
 *
 * An array with one dimension (array_recv in src/backend/utils/adt/arrayfuncs.c), all big-endian:
 *
 *     i32 1, i32 0 (no NULLs), u32 type, i32 elements, i32 1 (lower bound), then each element:
 *       i32 bytes, then that many bytes
 */

import { KINDS, type Kind } from '../../records/kinds.ts';
import { ROW_HEADER_BYTES, type Rows } from '../../records/rows.ts';

/** The rows of one kind in a batch. */
export interface ColumnArrays {
  readonly kind: Kind;
  /** Where each row stands in the batch. */
  readonly indexes: readonly number[];
  /** In the order of the kind's columns. */
  readonly arrays: readonly Buffer[];
  eventIds(): string[];
}

const HEADER_BYTES = 20;
const TEXT_OID = 25;
const FLOAT8_OID = 701;

/** Of the kinds that the batch holds, in their order. */
export function columnArrays(rows: Rows): ColumnArrays[] {
  const found = measure(rows);
  for (const collector of found) collector?.allocate();
  fill(rows, found);
  return found.filter((collector) => collector !== undefined);
}

class Collector implements ColumnArrays {
  readonly kind: Kind;
  readonly indexes: number[] = [];
  readonly arrays: Buffer[] = [];
  /** Bytes of each array at first, then where its next element goes. */
  readonly at: number[];

  constructor(kind: Kind) {
    this.kind = kind;
    this.at = kind.columns.map(() => HEADER_BYTES);
  }

  allocate(): void {
    this.kind.columns.forEach((column, i) => {
      const array = Buffer.allocUnsafe(this.at[i] as number);
      array.writeInt32BE(1, 0);
      array.writeInt32BE(0, 4);
      array.writeUInt32BE(column.type === 'number' ? FLOAT8_OID : TEXT_OID, 8);
      array.writeInt32BE(this.indexes.length, 12);
      array.writeInt32BE(1, 16);
      this.arrays.push(array);
      this.at[i] = HEADER_BYTES;
    });
  }

  eventIds(): string[] {
    const column = this.kind.columns.findIndex(({ type }) => type === 'event_id');
    const array = this.arrays[column] as Buffer;
    const ids: string[] = [];
    let at = HEADER_BYTES;
    for (let i = 0; i < this.indexes.length; i++) {
      const end = at + 4 + array.readInt32BE(at);
      ids.push(array.toString('latin1', at + 4, end));
      at = end;
    }
    return ids;
  }
}

function measure({ bytes, count }: Rows): (Collector | undefined)[] {
  const found: (Collector | undefined)[] = KINDS.map(() => undefined);
  let at = 0;
  for (let row = 0; row < count; row++) {
    const kind = KINDS[bytes[at + 4] ?? -1];
    if (kind === undefined) throw new RangeError('row of an unknown kind');
    found[kind.index] ??= new Collector(kind);
    const { indexes, at: sizes } = found[kind.index] as Collector;
    indexes.push(row);
    at += ROW_HEADER_BYTES;
    for (let i = 0; i < kind.columns.length; i++) {
      const isNumber = kind.columns[i]?.type === 'number';
      const length = isNumber ? 8 : bytes.readUInt32LE(at);
      at += isNumber ? 8 : 4 + length;
      (sizes[i] as number) += 4 + length;
    }
  }
  return found;
}

function fill({ bytes, count }: Rows, found: readonly (Collector | undefined)[]): void {
  let at = 0;
  for (let row = 0; row < count; row++) {
    const { kind, arrays, at: ends } = found[bytes[at + 4] as number] as Collector;
    at += ROW_HEADER_BYTES;
    for (let i = 0; i < kind.columns.length; i++) {
      const array = arrays[i] as Buffer;
      let to = ends[i] as number;
      if (kind.columns[i]?.type === 'number') {
        array.writeInt32BE(8, to);
        array.writeDoubleBE(bytes.readDoubleLE(at), to + 4);
        at += 8;
        to += 12;
      } else {
        const length = bytes.readUInt32LE(at);
        array.writeInt32BE(length, to);
        bytes.copy(array, to + 4, at + 4, at + 4 + length);
        at += 4 + length;
        to += 4 + length;
      }
      ends[i] = to;
    }
  }
}
