import type { FileHandle, FileLayer } from '../files/file-layer.ts';
import { Frame, HEADER_BYTES, isPageSize, readAt } from './wal-format.ts';

/**
 * What to think of a WAL whose header does not check out, which SQLite takes for an empty one.
 *
 * - `moved`: a crash tore the header as SQLite began the WAL anew. That happens on a busy file: all
 *   frames are in the database and synced there, then a header is written over the old one and
 *   synced by itself, and only then frames over the old ones. So what follows a torn header is in
 *   the database, page for page.
 * - `lost`: the header was damaged later, and the frames hold what nothing else does.
 *
 * Salts do not tell the two apart. A header of which a byte was damaged may differ from its frames in
 * them, and one that is torn behind its eighteenth byte may have those of its frames. What was lost
 * does: nothing is where the last image of each page that was committed is that of the database. All
 * else counts as lost, since a false alarm costs a look, and a silence the records.
 */
export type Headless = 'moved' | 'lost';

/** @param size of the WAL, in bytes */
export function judgeHeadless(
  files: FileLayer,
  wal: FileHandle,
  size: number,
  database: FileHandle,
): { readonly verdict: Headless; readonly salts: string } | undefined {
  const pageBytes = pageSizeOf(files, database);
  // Not a database: the opening moves it aside, with its WAL.
  if (pageBytes === undefined) return undefined;
  const frame = new Frame(pageBytes);
  if (size < HEADER_BYTES + frame.bytes.length) return undefined;
  const { salts, committed } = framesOf(files, wal, size, frame);
  const isMoved = committed !== undefined && isIn(files, database, wal, committed, frame);
  return { verdict: isMoved ? 'moved' : 'lost', salts };
}

/**
 * @returns salts of the first frame, in hexadecimal, and where the last committed image of each page
 *   stands: undefined where no commit is whole, or the frames are not of one piece
 */
function framesOf(
  files: FileLayer,
  wal: FileHandle,
  size: number,
  frame: Frame,
): { salts: string; committed: ReadonlyMap<number, number> | undefined } {
  let salts = '';
  const committed = new Map<number, number>();
  let pending = new Map<number, number>();
  let isOver = false;
  for (let at = HEADER_BYTES; at + frame.bytes.length <= size; at += frame.bytes.length) {
    if (!readAt(files, wal, frame.bytes, at)) break;
    if (at === HEADER_BYTES) salts = frame.salts.toString('hex');
    const isOurs = frame.pageNumber !== 0 && frame.salts.toString('hex') === salts;
    // Frames of a WAL before this one are left behind it; one amid its own is damaged.
    if (isOver && isOurs) return { salts, committed: undefined };
    isOver ||= !isOurs;
    if (isOver) continue;
    pending.set(frame.pageNumber, at);
    if (!frame.isCommit) continue;
    for (const [page, place] of pending) committed.set(page, place);
    pending = new Map();
  }
  return { salts, committed: committed.size > 0 ? committed : undefined };
}

function isIn(
  files: FileLayer,
  database: FileHandle,
  wal: FileHandle,
  committed: ReadonlyMap<number, number>,
  frame: Frame,
): boolean {
  const page = Buffer.alloc(frame.page.length);
  for (const [number, place] of committed) {
    if (!readAt(files, wal, frame.bytes, place)) return false;
    if (!readAt(files, database, page, (number - 1) * page.length)) return false;
    if (!page.equals(frame.page)) return false;
  }
  return true;
}

/** As its header says, https://sqlite.org/fileformat2.html#page_size. */
function pageSizeOf(files: FileLayer, database: FileHandle): number | undefined {
  const header = Buffer.alloc(18);
  if (!readAt(files, database, header, 0)) return undefined;
  const stored = header.readUInt16BE(16);
  const bytes = stored === 1 ? 65_536 : stored;
  return isPageSize(bytes) ? bytes : undefined;
}
