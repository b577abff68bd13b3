import type { Parcel } from './parcel.ts';

/** Some consecutive rows of one parcel; most often all of them. */
export interface Slice {
  readonly parcel: Parcel;
  readonly rows: number;
  /** Where they lie in the parcel's buffer. */
  readonly start: number;
  readonly end: number;
}

const FIRST_CAPACITY = 64;

/** The parcels that wait, in order of arrival: a ring that doubles when it is full. */
export class Queue {
  /** A power of two long. Parcels stand at (#head + i) & mask. */
  #ring: (Parcel | undefined)[] = new Array(FIRST_CAPACITY);
  #head = 0;
  #length = 0;
  /** What has been taken of the first parcel. */
  #takenRows = 0;
  #takenBytes = 0;

  /** True when no row waits to be taken. */
  get isEmpty(): boolean {
    return this.#length === 0;
  }

  get first(): Parcel | undefined {
    return this.#ring[this.#head];
  }

  push(parcel: Parcel): void {
    if (this.#length === this.#ring.length) this.#grow();
    this.#ring[(this.#head + this.#length) & (this.#ring.length - 1)] = parcel;
    this.#length += 1;
  }

  /**
   * Takes the next rows up to the caps, and at least one where there is one. Whole parcels, so that
   * a request meets one commit; only a parcel that alone exceeds a cap is taken in parts.
   */
  take(maxRows: number, maxBytes: number): Slice[] {
    const slices: Slice[] = [];
    let rowsLeft = maxRows;
    let bytesLeft = maxBytes;
    for (let parcel = this.first; parcel !== undefined; parcel = this.first) {
      const rows = parcel.rows.count - this.#takenRows;
      const start = this.#takenBytes;
      const end = parcel.rows.bytes.length;
      if (rows <= rowsLeft && end - start <= bytesLeft) {
        slices.push({ parcel, rows, start, end });
        this.#shift();
        rowsLeft -= rows;
        bytesLeft -= end - start;
      } else {
        if (slices.length === 0) slices.push(this.#takePart(parcel, maxRows, maxBytes));
        break;
      }
    }
    return slices;
  }

  #takePart(parcel: Parcel, maxRows: number, maxBytes: number): Slice {
    const { bytes, count } = parcel.rows;
    const start = this.#takenBytes;
    const left = count - this.#takenRows;
    let rows = 1;
    let end = start + bytes.readUInt32LE(start);
    while (rows < Math.min(left, maxRows)) {
      const next = end + bytes.readUInt32LE(end);
      if (next - start > maxBytes) break;
      rows += 1;
      end = next;
    }
    this.#takenRows += rows;
    this.#takenBytes = end;
    if (rows === left) this.#shift();
    return { parcel, rows, start, end };
  }

  #shift(): void {
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#ring.length - 1);
    this.#length -= 1;
    this.#takenRows = 0;
    this.#takenBytes = 0;
    // A long outage leaves a large ring behind.
    if (this.#length === 0 && this.#ring.length > 1_024) {
      this.#ring = new Array(FIRST_CAPACITY);
      this.#head = 0;
    }
  }

  #grow(): void {
    const { length } = this.#ring;
    const grown: (Parcel | undefined)[] = new Array(length * 2);
    for (let i = 0; i < length; i++) grown[i] = this.#ring[(this.#head + i) & (length - 1)];
    this.#ring = grown;
    this.#head = 0;
  }
}
