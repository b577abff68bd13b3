const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * Finds where a JSON value ends, without parsing it, and counts the keys of the object it is. That
 * is enough to take an array apart before JSON.parse sees its elements one by one, and to find
 * duplicate keys, of which JSON.parse keeps the last in silence.
 *
 * The value need not be well-formed: what is wrong inside it, JSON.parse will find.
 */
export class ValueScan {
  /** Behind the value's last byte. */
  end = 0;
  /** Keys of the outermost object, each as often as it stands there. */
  keys = 0;
  /** Keys of all objects in the value together. */
  allKeys = 0;
  /** How deep arrays and objects lie in each other; 0 for a scalar. */
  deepest = 0;

  /**
   * @param start where the value starts
   * @param limit where the text ends
   * @returns false when the text ends inside the value
   */
  run(bytes: Uint8Array, start: number, limit: number): boolean {
    let depth = 0;
    let deepest = 0;
    let keys = 0;
    let allKeys = 0;
    let at = start;
    scan: while (at < limit) {
      switch (bytes[at]) {
        case QUOTE:
          at += 1;
          while (at < limit && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
          if (at >= limit) return false;
          break;
        case OPEN_BRACE:
        case OPEN_BRACKET:
          depth += 1;
          if (depth > deepest) deepest = depth;
          break;
        case CLOSE_BRACE:
        case CLOSE_BRACKET:
          // A scalar ends where the array around it does.
          if (depth === 0) break scan;
          depth -= 1;
          if (depth === 0) {
            at += 1;
            break scan;
          }
          break;
        case COMMA:
          if (depth === 0) break scan;
          break;
        case COLON:
          allKeys += 1;
          if (depth === 1) keys += 1;
          break;
      }
      at += 1;
    }
    this.end = at;
    this.keys = keys;
    this.allKeys = allKeys;
    this.deepest = deepest;
    return depth === 0;
  }
}

/** Behind the JSON whitespace that starts at a place (RFC 8259, section 2). */
export function skipSpace(bytes: Uint8Array, start: number, limit: number): number {
  let at = start;
  while (at < limit) {
    const byte = bytes[at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
    at += 1;
  }
  return at;
}
