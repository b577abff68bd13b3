import type { WasmEngine } from './wasm-engine.ts';

/** Sizes are rounded up to this, so that batches of similar size share one allocation. */
const STEP = 65_536;

/** A block of the heap that is overwritten each time and grows on demand. */
export class Arena {
  readonly #engine: WasmEngine;
  #address = 0;
  #capacity = 0;

  constructor(engine: WasmEngine) {
    this.#engine = engine;
  }

  /**
   * Makes room and returns its address, never NULL. What lay there before is lost.
   *
   * @throws SqliteError when the heap cannot grow that far
   */
  reserve(bytes: number): number {
    if (bytes > this.#capacity || this.#address === 0) {
      if (this.#address !== 0) this.#engine.exports.free(this.#address);
      this.#address = 0;
      this.#capacity = 0;
      const capacity = Math.max(1, Math.ceil(bytes / STEP)) * STEP;
      this.#address = this.#engine.malloc(capacity);
      this.#capacity = capacity;
    }
    return this.#address;
  }
}
