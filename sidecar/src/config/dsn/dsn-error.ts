/**
 * A DSN that cannot be used. The message says what is wrong, where (the name of a key that is
 * known, or a position) and how to mend it. It finishes the sentence "the DSN ..." and holds no
 * part of the DSN but names of keys that are known here.
 */
export class DsnError extends Error {
  override readonly name = 'DsnError';
}
