import type { FileIdentity } from '../files/file-identity.ts';

/**
 * Which file the WAL at the database's path belongs to, remembered from one connection of a process
 * to the next, failed ones included. SQLite finds a WAL by its name alone, and would write the pages
 * of one file into another that was put in its place.
 */
export interface WalOwner {
  /** undefined where nobody knows, as at the first opening: then it is the file that lies there. */
  file: FileIdentity | undefined;
}
