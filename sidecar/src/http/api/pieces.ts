const FIRST_CAPACITY = 64 * 1024;

/**
 * Joins what arrives in pieces, in about twice the memory of its bytes. Pieces cannot be kept as
 * they are: a client may send one byte a chunk, and each would hold some 250 bytes.
 */
export class Pieces {
  /** Kept as it is while it is alone, as most are. */
  #only: Buffer | undefined;
  #joined: Buffer | undefined;
  #length = 0;
  readonly #capacity: number;

  /** @param expected how many bytes there will be, where that is known */
  constructor(expected = 0) {
    this.#capacity = expected > 0 ? expected : FIRST_CAPACITY;
  }

  get length(): number {
    return this.#length;
  }

  add(piece: Buffer): void {
    if (this.#length === 0) {
      this.#only = piece;
    } else {
      this.#append(piece);
    }
    this.#length += piece.length;
  }

  /** Hands out all bytes so far, and starts anew. */
  take(): Buffer {
    const all = this.#only ?? this.#joined?.subarray(0, this.#length) ?? Buffer.alloc(0);
    this.#only = undefined;
    this.#joined = undefined;
    this.#length = 0;
    return all;
  }

  #append(piece: Buffer): void {
    const length = this.#length;
    const need = length + piece.length;
    const former = this.#only ?? this.#joined;
    if (this.#joined === undefined || need > this.#joined.length) {
      this.#joined = Buffer.allocUnsafeSlow(Math.max(need, this.#capacity, length * 2));
      former?.copy(this.#joined, 0, 0, length);
      this.#only = undefined;
    }
    piece.copy(this.#joined, length);
  }
}
