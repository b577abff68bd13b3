/**
 * Records in the form in which they wait, travel between threads and reach SQLite: one buffer of
 * rows, so that the bytes which the queue counts are the bytes it holds, a batch crosses a thread
 * as one transfer, and a text is bound where it lies.
 *
 * A row, all integers little-endian:
 *
 *     u32  bytes of the row, this field included
 *     u8   index of the kind
 *     then each column of the kind, in the order of its table:
 *       text, time, event id   u32 bytes, then that many bytes of UTF-8
 *       number                 f64
 */

import type { Kind } from './kinds.ts';

/** A record that passed validation: every column is present, in its stored form. */
export type ValidRecord = Readonly<Record<string, string | number>>;

/** Bytes of a row before its first column. */
export const ROW_HEADER_BYTES = 5;

/** Some rows, back to back. */
export interface Rows {
  readonly bytes: Buffer<ArrayBuffer>;
  readonly count: number;
}

const FIRST_CAPACITY = 4_096;
/** Scratch of a usual request is kept for the next one; what is larger is rare and freed. */
const KEPT_CAPACITY = 1_048_576;
/** Above this a text is long enough for the native copy to win over the loop. */
const SHORT_TEXT_CHARS = 48;

/**
 * The scratch of the writer that was done last, for the next one that outgrows its own: growing
 * anew for each request leaves several times its bytes to the garbage collector.
 */
let spare: Buffer<ArrayBuffer> | undefined;

/**
 * Frees the memory of bytes that are not used any more, which are empty from then on. The garbage
 * collector goes by the objects it sees: megabytes behind a few small ones may stay for minutes.
 * Does nothing to a part of a larger buffer, as those of Node's pool are.
 */
export function freeBytes(bytes: Buffer<ArrayBuffer>): void {
  const { buffer } = bytes;
  if (bytes.byteLength > 0 && bytes.byteLength === buffer.byteLength) buffer.transfer(0);
}

/** Collects rows of one request. */
export class RowWriter {
  #buffer = Buffer.allocUnsafeSlow(FIRST_CAPACITY);
  #length = 0;
  #count = 0;

  get bytes(): number {
    return this.#length;
  }

  /** Appends a record. Its texts must be well-formed: encoding a lone surrogate would alter it. */
  add(kind: Kind, record: ValidRecord): void {
    const start = this.#length;
    this.#reserve(ROW_HEADER_BYTES);
    this.#buffer[start + 4] = kind.index;
    this.#length += ROW_HEADER_BYTES;
    for (const column of kind.columns) {
      const value = record[column.name];
      if (typeof value === 'number') this.#number(value);
      else this.#text(value ?? '');
    }
    this.#buffer.writeUInt32LE(this.#length - start, start);
    this.#count += 1;
  }

  /** Hands out the rows so far as a copy of their exact size, and starts anew. */
  take(): Rows {
    const bytes = Buffer.allocUnsafe(this.#length);
    this.#buffer.copy(bytes, 0, 0, this.#length);
    const rows = { bytes, count: this.#count };
    this.#length = 0;
    this.#count = 0;
    if (this.#buffer.length > FIRST_CAPACITY) this.#giveBack();
    return rows;
  }

  #number(value: number): void {
    this.#reserve(8);
    this.#buffer.writeDoubleLE(value, this.#length);
    this.#length += 8;
  }

  #text(value: string): void {
    // No UTF-16 code unit needs more than three bytes of UTF-8.
    this.#reserve(4 + value.length * 3);
    const buffer = this.#buffer;
    const start = this.#length + 4;
    let bytes = 0;
    if (value.length <= SHORT_TEXT_CHARS) {
      while (bytes < value.length) {
        const code = value.charCodeAt(bytes);
        if (code > 127) break;
        buffer[start + bytes] = code;
        bytes += 1;
      }
    }
    if (bytes < value.length) bytes = buffer.write(value, start);
    buffer.writeUInt32LE(bytes, this.#length);
    this.#length = start + bytes;
  }

  #reserve(more: number): void {
    const need = this.#length + more;
    if (need <= this.#buffer.length) return;
    let grown = spare;
    if (grown !== undefined && need <= grown.length) spare = undefined;
    else grown = Buffer.allocUnsafeSlow(Math.max(need, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#length);
    freeBytes(this.#buffer);
    this.#buffer = grown;
  }

  #giveBack(): void {
    const scratch = this.#buffer;
    this.#buffer = Buffer.allocUnsafeSlow(FIRST_CAPACITY);
    if (spare === undefined && scratch.length <= KEPT_CAPACITY) spare = scratch;
    else freeBytes(scratch);
  }
}

/**
 * Where each row starts, and at the end where the last one ends: `count + 1` offsets.
 *
 * @throws RangeError when the buffer does not hold exactly `count` rows
 */
export function rowOffsets(rows: Rows): Uint32Array {
  const offsets = new Uint32Array(rows.count + 1);
  let at = 0;
  for (let i = 0; i < rows.count; i++) {
    offsets[i] = at;
    at += rows.bytes.readUInt32LE(at);
  }
  if (at !== rows.bytes.length) throw new RangeError('rows do not fill their buffer');
  offsets[rows.count] = at;
  return offsets;
}
