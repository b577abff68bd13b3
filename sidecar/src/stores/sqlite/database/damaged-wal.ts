import type { FileHandle, FileLayer } from '../files/file-layer.ts';
import { judgeHeadless } from './headless-wal.ts';
import { Frame, HEADER_BYTES, readAt, type WalHeader, walHeader } from './wal-format.ts';

const TO_READ = { writable: false, create: false, exclusive: false, permissions: 0 };

export interface UnreadableCommits {
  /** `all`: its header is damaged. */
  readonly commits: number | 'all';
  /** In hexadecimal: they change whenever a WAL begins anew. */
  readonly salts: string;
}

/**
 * Looks for commits in a WAL that SQLite cannot read because something before them is damaged. Its
 * recovery stops at the first frame whose checksum is wrong, and takes what follows for leftovers;
 * of a WAL whose header is damaged it reads nothing.
 *
 * A crash tears the last commit alone, because each is synced before the next begins. So more than
 * one commit of this WAL at or behind the first bad frame shows that it was damaged later: by a
 * failing disk, or by somebody who wrote to it. For the header see {@link judgeHeadless}.
 *
 * @param database path of it; it and its WAL may be missing
 * @returns undefined where nothing is lost: the WAL is whole, or torn as a crash leaves it
 */
export function unreadableCommits(
  files: FileLayer,
  database: string,
): UnreadableCommits | undefined {
  const path = `${database}-wal`;
  if (!files.exists(path)) return undefined;
  return reading(files, path, (wal) => {
    const { size } = files.stat(wal);
    const bytes = Buffer.alloc(HEADER_BYTES);
    if (!readAt(files, wal, bytes, 0)) return undefined;
    const header = walHeader(bytes);
    if (header !== undefined) return behindDamage(files, wal, size, header);
    if (!files.exists(database)) return undefined;
    const found = reading(files, database, (file) => judgeHeadless(files, wal, size, file));
    return found?.verdict === 'lost' ? { commits: 'all', salts: found.salts } : undefined;
  });
}

function behindDamage(
  files: FileLayer,
  wal: FileHandle,
  size: number,
  { pageBytes, salts, checksum }: WalHeader,
): UnreadableCommits | undefined {
  const frame = new Frame(pageBytes);
  let isWhole = true;
  let lost = 0;
  for (let at = HEADER_BYTES; at + frame.bytes.length <= size; at += frame.bytes.length) {
    if (!readAt(files, wal, frame.bytes, at)) break;
    const isOurs = frame.salts.equals(salts);
    isWhole &&= isOurs && frame.follows(checksum);
    if (!isWhole && isOurs && frame.isCommit) lost += 1;
  }
  return lost > 1 ? { commits: lost, salts: salts.toString('hex') } : undefined;
}

function reading<T>(files: FileLayer, path: string, use: (handle: FileHandle) => T): T {
  const handle = files.open(path, TO_READ);
  try {
    return use(handle);
  } finally {
    files.close(handle);
  }
}
