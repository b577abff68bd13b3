import { DsnError } from './dsn-error.ts';

/**
 * Decodes `%XX` as UTF-8. A plus sign stays one.
 *
 * @param part what the text is, for the message
 * @throws {DsnError}
 */
export function percentDecoded(text: string, part: string): string {
  const bad = text.search(/%(?![0-9a-f]{2})/i);
  if (bad !== -1) {
    throw new DsnError(
      `has a % in ${part} (its character ${bad + 1}) that begins no code of two hexadecimal digits; write %25 for the sign itself`,
    );
  }
  let decoded: string;
  try {
    decoded = decodeURIComponent(text);
  } catch {
    throw new DsnError(`has %-codes in ${part} that are no UTF-8`);
  }
  if (decoded.includes('\0')) throw new DsnError(`has a NUL character in ${part}`);
  return decoded;
}
