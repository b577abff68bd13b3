import { type Rows, rowOffsets } from '../records/rows.ts';
import type { Parcel } from './parcel.ts';
import type { Slice } from './queue.ts';

/**
 * The rows of one commit, kept until each has met its end: retried as they are, halved when the
 * database refuses a value among them, and cut when they are too many for an attempt. A row that is
 * refused alone is attempted twice, with a trial write in between.
 *
 * Rows are settled strictly from the first to the last, also while in parts. So the state is how
 * many are settled, and a stack of ends: the next attempt is always the rows from the first
 * unsettled one to the topmost end.
 */
export class Batch {
  readonly #slices: readonly Slice[];
  readonly #rows: number;
  readonly #bytes: number;
  readonly #ends: number[];
  #settled = 0;
  /** The slice of the first unsettled row, and how many of its rows are settled. */
  #slice = 0;
  #settledOfSlice = 0;
  /** A copy of all rows and their offsets, once parts of them are attempted. */
  #whole: { readonly bytes: Buffer; readonly offsets: Uint32Array } | undefined;
  #isRefused = false;
  #isProved = false;

  constructor(slices: readonly Slice[]) {
    this.#slices = slices;
    let rows = 0;
    let bytes = 0;
    for (const slice of slices) {
      rows += slice.rows;
      bytes += slice.end - slice.start;
    }
    this.#rows = rows;
    this.#bytes = bytes;
    this.#ends = [rows];
  }

  /** True once a value in it was refused. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  /** Whether a trial write went through since the next attempt's one row was refused. */
  get isProved(): boolean {
    return this.#isProved;
  }

  get isDone(): boolean {
    return this.#settled === this.#rows;
  }

  /** The parcel of the first unsettled row. */
  get first(): Parcel | undefined {
    return this.#slices[this.#slice]?.parcel;
  }

  /** Rows of the next attempt. */
  get attemptRows(): number {
    return (this.#ends.at(-1) ?? this.#settled) - this.#settled;
  }

  /**
   * The rows of the next attempt, in memory of their own that the store may transfer: the parcels
   * keep theirs, so a retry copies again.
   */
  attempt(): Rows {
    const count = this.attemptRows;
    if (this.#whole === undefined) return { bytes: this.#gather(), count };
    const { bytes, offsets } = this.#whole;
    const start = offsets[this.#settled] ?? 0;
    const end = offsets[this.#settled + count] ?? bytes.length;
    const copy = Buffer.allocUnsafeSlow(end - start);
    bytes.copy(copy, 0, start, end);
    return { bytes: copy, count };
  }

  /** After a refusal of more than one row: attempts their first half next, then their second. */
  halve(): void {
    this.#isRefused = true;
    this.#parts();
    this.#ends.push(this.#settled + Math.ceil(this.attemptRows / 2));
  }

  /** After a refusal of one row and a trial write that went through: the row is attempted again. */
  prove(): void {
    this.#isRefused = true;
    this.#isProved = true;
  }

  /**
   * Cuts the next attempt so that it holds no more than that, or one row; the rest comes later.
   *
   * @returns whether it holds as much as that allows
   */
  cut(maxRows: number, maxBytes: number): boolean {
    const most = this.attemptRows;
    let rows = Math.min(most, maxRows);
    if (rows > 1 && this.#bytes > maxBytes) {
      const { offsets } = this.#parts();
      const start = offsets[this.#settled] ?? 0;
      const bytesOf = (count: number) => (offsets[this.#settled + count] ?? this.#bytes) - start;
      while (rows > 1 && bytesOf(rows) > maxBytes) rows -= 1;
    }
    if (rows < most) {
      this.#parts();
      this.#ends.push(this.#settled + rows);
    }
    return rows < most || rows === maxRows;
  }

  /**
   * Passes over the rows of the last attempt, which have met their end.
   *
   * @param visit is told the attempt's rows parcel by parcel: the parcel, how many of its rows, and
   *   the index in the attempt of the first of them
   */
  settle(visit: (parcel: Parcel, rows: number, first: number) => void): void {
    const count = this.attemptRows;
    this.#ends.pop();
    this.#settled += count;
    this.#isProved = false;
    for (let done = 0; done < count; ) {
      const slice = this.#slices[this.#slice];
      if (slice === undefined) return;
      const rows = Math.min(slice.rows - this.#settledOfSlice, count - done);
      this.#settledOfSlice += rows;
      if (this.#settledOfSlice === slice.rows) {
        this.#slice += 1;
        this.#settledOfSlice = 0;
      }
      visit(slice.parcel, rows, done);
      done += rows;
    }
  }

  /** Makes all unsettled rows the next attempt, for {@link settle} to pass over. */
  join(): void {
    this.#ends.length = 0;
    if (!this.isDone) this.#ends.push(this.#rows);
  }

  #parts() {
    if (this.#whole === undefined) {
      const bytes = this.#gather();
      this.#whole = { bytes, offsets: rowOffsets({ bytes, count: this.#rows }) };
    }
    return this.#whole;
  }

  #gather(): Buffer<ArrayBuffer> {
    const bytes = Buffer.allocUnsafeSlow(this.#bytes);
    let at = 0;
    for (const { parcel, start, end } of this.#slices) {
      parcel.rows.bytes.copy(bytes, at, start, end);
      at += end - start;
    }
    return bytes;
  }
}
