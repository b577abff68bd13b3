/** A value that its parser refuses. The message finishes the sentence "NAME ...". */
export class BadValue extends Error {
  override readonly name = 'BadValue';
}

/**
 * The value as a message may show it. A value in the wrong place can be a secret (a DSN given as a
 * path), so only what cannot be one is shown: short, without `@`, `=`, `://` and anything that a
 * terminal could take for a command.
 */
export function shown(value: string): string {
  const plain = /^[\p{L}\p{N} _.:\-+/[\]%,~]{1,120}$/u.test(value) && !value.includes('://');
  return plain ? `"${value}"` : `a value of ${value.length} characters that is not shown`;
}
