const SHORT_ASCII = 24;
const MAX_UTF8_PER_UNIT = 3;

/**
 * The linear memory of a WebAssembly instance. Views are taken anew whenever it has grown, which
 * leaves those of before without length (https://webassembly.github.io/spec/js-api/#dom-memory-grow);
 * to ask for that is much cheaper than for the memory's buffer, at a dozen calls a row.
 */
export class Heap {
  readonly #memory: WebAssembly.Memory;
  #bytes: Buffer;
  #view: DataView;

  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory;
    this.#bytes = Buffer.from(memory.buffer);
    this.#view = new DataView(memory.buffer);
  }

  /** All of it; not to be kept across a call into WebAssembly. */
  get bytes(): Buffer {
    if (this.#bytes.length === 0) this.#refresh();
    return this.#bytes;
  }

  get view(): DataView {
    if (this.#bytes.length === 0) this.#refresh();
    return this.#view;
  }

  u32(address: number): number {
    return this.view.getUint32(address, true);
  }

  setU32(address: number, value: number): void {
    this.view.setUint32(address, value, true);
  }

  /** UTF-8 of a known length. */
  text(address: number, length: number): string {
    const bytes = this.bytes;
    if (length > SHORT_ASCII) return bytes.toString('utf8', address, address + length);
    let text = '';
    for (let i = address; i < address + length; i++) {
      const unit = bytes[i] as number;
      if (unit > 127) return bytes.toString('utf8', address, address + length);
      text += String.fromCharCode(unit);
    }
    return text;
  }

  /** UTF-8 up to its NUL. */
  cString(address: number): string {
    const bytes = this.bytes;
    return this.text(address, bytes.indexOf(0, address) - address);
  }

  /** Bytes that {@link writeCString} needs at most. */
  static cStringBytes(text: string): number {
    return text.length * MAX_UTF8_PER_UNIT + 1;
  }

  /** Writes UTF-8 and a NUL; returns the length without it. */
  writeCString(text: string, address: number): number {
    const bytes = this.bytes;
    let length = 0;
    if (text.length <= SHORT_ASCII) {
      while (length < text.length) {
        const unit = text.charCodeAt(length);
        if (unit > 127) break;
        bytes[address + length] = unit;
        length += 1;
      }
    }
    if (length < text.length) length = bytes.write(text, address);
    bytes[address + length] = 0;
    return length;
  }

  #refresh(): void {
    this.#bytes = Buffer.from(this.#memory.buffer);
    this.#view = new DataView(this.#memory.buffer);
  }
}
