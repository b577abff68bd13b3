/**
 * What a server may say to a client like this one, checked before pg's parser reads it: that one
 * looks for the end of a text beyond the message, and beyond the buffer for ever.
 *
 * Formats: https://www.postgresql.org/docs/current/protocol-message-formats.html. All integers are
 * big-endian; a message is a code of one byte, a length that counts itself, and a body.
 */

import { GarbledError } from './errors.ts';

const HEADER_BYTES = 5;
/** As in libpq (fe-protocol3.c): messages other than {@link LONG} are never longer. */
const SHORT_BYTES = 30_000;
/** Far above a row with the longest texts that a record may have. */
const LONG_BYTES = 64 * 1024 * 1024;
/** Codes of messages that grow with what was stored or said: D, E, N, T, A. */
const LONG: ReadonlySet<number> = codes('DENTA');

/**
 * Cuts a stream of bytes at the ends of messages and checks each one. What is asked of it is that
 * pg's parser ends within the message, not that the values make sense.
 */
export class BackendMessages {
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** Bytes that have to be there before it is worth looking again. */
  #wanted = HEADER_BYTES;

  /**
   * Takes the next bytes of the connection.
   *
   * @returns the messages that are whole now, empty while the first one is not
   * @throws {GarbledError} at the first that no Postgres sends
   */
  take(chunk: Buffer): Buffer {
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#heldBytes < this.#wanted) return NOTHING;
    const bytes = this.#held.length === 1 ? chunk : Buffer.concat(this.#held);
    let at = 0;
    this.#wanted = HEADER_BYTES;
    while (bytes.length - at >= HEADER_BYTES) {
      const length = 1 + checkedLength(bytes, at);
      if (bytes.length - at < length) {
        this.#wanted = length;
        break;
      }
      checkBody(bytes, at, at + length);
      at += length;
    }
    const rest = bytes.subarray(at);
    this.#held = rest.length === 0 ? [] : [rest];
    this.#heldBytes = rest.length;
    return bytes.subarray(0, at);
  }
}

const NOTHING = Buffer.alloc(0);

function checkedLength(bytes: Buffer, at: number): number {
  const code = bytes[at] as number;
  const length = bytes.readUInt32BE(at + 1);
  const most = LONG.has(code) ? LONG_BYTES : SHORT_BYTES;
  if (length < 4 || length > most || CHECKS[code] === undefined) throw new GarbledError();
  return length;
}

function checkBody(bytes: Buffer, start: number, end: number): void {
  const check = CHECKS[bytes[start] as number] as Check;
  if (check(bytes, start + HEADER_BYTES, end) !== end) throw new GarbledError();
}

/** Answers where the body that begins at `at` ends by what it says itself; -1 at nonsense. */
type Check = (bytes: Buffer, at: number, end: number) => number;

/** By code. COPY, which nobody asks for, is missing. */
const CHECKS: readonly (Check | undefined)[] = table({
  '123nsI': (_, at) => at,
  // The code alone tells what follows, and pg's parser knows which codes there are.
  R: (bytes, at, end) => (end - at < 4 ? -1 : authentication(bytes, at, end)),
  S: (bytes, at, end) => text(bytes, text(bytes, at, end), end),
  // A newer protocol's secret is longer.
  K: (_, at, end) => (end - at < 8 ? -1 : end),
  Z: (_, at) => at + 1,
  C: text,
  A: (bytes, at, end) => text(bytes, text(bytes, at + 4, end), end),
  EN: fields,
  T: rowDescription,
  D: dataRow,
  t: (bytes, at, end) => (end - at < 2 ? -1 : at + 2 + 4 * bytes.readUInt16BE(at)),
});

/** Past the zero that ends a text. */
function text(bytes: Buffer, at: number, end: number): number {
  if (at < 0 || at >= end) return -1;
  const zero = bytes.indexOf(0, at);
  return zero === -1 || zero >= end ? -1 : zero + 1;
}

const MD5 = 5;
const SASL = 10;

function authentication(bytes: Buffer, at: number, end: number): number {
  const kind = bytes.readUInt32BE(at);
  if (kind === MD5) return at + 8;
  if (kind !== SASL) return end;
  // Names of mechanisms; an empty one ends the list.
  for (let from = at + 4; ; ) {
    const next = text(bytes, from, end);
    if (next === -1 || next === from + 1) return next;
    from = next;
  }
}

/** Of an error or notice: a code and a text each, then a zero. */
function fields(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== 0) {
    at = text(bytes, at + 1, end);
    if (at === -1) return -1;
  }
  return at + 1;
}

/** Behind the name of a column: two u32, two i16 and one u32 and i16 about it. */
const COLUMN_BYTES = 18;

function rowDescription(bytes: Buffer, start: number, end: number): number {
  if (end - start < 2) return -1;
  let at = start + 2;
  for (let left = bytes.readInt16BE(start); left > 0; left--) {
    at = text(bytes, at, end);
    if (at === -1) return -1;
    at += COLUMN_BYTES;
  }
  return at;
}

function dataRow(bytes: Buffer, start: number, end: number): number {
  if (end - start < 2) return -1;
  const columns = bytes.readInt16BE(start);
  if (columns < 0) return -1;
  let at = start + 2;
  for (let left = columns; left > 0; left--) {
    if (end - at < 4) return -1;
    const length = bytes.readInt32BE(at);
    if (length < -1) return -1;
    at += 4 + Math.max(0, length);
  }
  return at;
}

function codes(letters: string): ReadonlySet<number> {
  return new Set(Buffer.from(letters));
}

function table(checks: Readonly<Record<string, Check>>): (Check | undefined)[] {
  const found = new Array<Check | undefined>(256).fill(undefined);
  for (const [letters, check] of Object.entries(checks)) {
    for (const code of codes(letters)) found[code] = check;
  }
  return found;
}
