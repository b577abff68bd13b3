/** Where a DSN may come from; at least one is set. */
export interface DsnPlaces {
  /** STORAGE_DSN. */
  readonly dsn?: string | undefined;
  /** STORAGE_DSN_FILE; goes first if the file exists and is not blank. */
  readonly dsnFile?: string | undefined;
}

export interface FoundDsn {
  readonly text: string;
  /** In words: the variable that it came by. */
  readonly from: string;
  /** Why the file, though named, was not used. */
  readonly passedOver?: string;
}

/**
 * Finds the DSN as it is now.
 *
 * @param read reads a small file; throws an error with a `code`
 */
export function findDsn(
  { dsn, dsnFile }: DsnPlaces,
  read: (path: string) => string,
): FoundDsn | { readonly missing: string } {
  if (dsnFile === undefined) {
    if (dsn !== undefined && dsn.trim() !== '') return { text: dsn, from: 'STORAGE_DSN' };
    return { missing: dsn === undefined ? 'STORAGE_DSN is not set' : 'STORAGE_DSN is blank' };
  }
  let missing = 'the file that STORAGE_DSN_FILE names is blank';
  try {
    const text = read(dsnFile);
    if (text.trim() !== '') return { text, from: 'the file that STORAGE_DSN_FILE names' };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    // ENOENT and no more would not tell an operator that a Secret is what is missing.
    const hint = code === 'ENOENT' ? '; in Kubernetes, the Secret or its key is missing' : '';
    missing = `the file that STORAGE_DSN_FILE names cannot be read (${code})${hint}`;
  }
  if (dsn === undefined || dsn.trim() === '') return { missing };
  return { text: dsn, from: 'STORAGE_DSN', passedOver: missing };
}
