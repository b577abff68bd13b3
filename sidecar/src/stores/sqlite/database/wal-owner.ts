import type { FileIdentity } from '../files/file-identity.ts';

/** What may lie beside a database: of it, SQLite finds each by its name alone. */
export const COMPANIONS = ['-wal', '-journal'] as const;

export type Companion = (typeof COMPANIONS)[number];

/** `none` was there; undefined where nobody knows. */
export type LastSeen = FileIdentity | 'none' | undefined;

/** Of no file: what lies at the path now is not what the WAL belongs to, though it may be the same file. */
export const NO_FILE: FileIdentity = { device: 0, inode: -2 };

/**
 * Which file the WAL and the journal at the database's path belong to, remembered from one connection
 * of a process to the next, failed ones included. SQLite would write the pages of one file into another
 * that was put in its place.
 *
 * A file that is removed may leave the number of its inode to the next one, so what is exchanged while
 * no connection is open may pass for the file that was there.
 */
export interface WalOwner {
  /** undefined where nobody knows, as at the first opening: then it is the file that lies there. */
  file: FileIdentity | undefined;
  /** What lay beside it when it was last looked at: another one came with another file. */
  readonly companions: Record<Companion, LastSeen>;
}

export function unknownOwner(): WalOwner {
  return { file: undefined, companions: { '-wal': undefined, '-journal': undefined } };
}
