import type { FileHandle, FileLayer } from '../files/file-layer.ts';

// https://sqlite.org/fileformat2.html#the_write_ahead_log
const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** Of a WAL whose checksums go over little-endian words, as all do that a little-endian machine wrote. */
const MAGIC = 0x377f0682;

export interface UnreadableCommits {
  readonly commits: number;
  /** In hexadecimal: they change whenever a WAL begins anew. */
  readonly salts: string;
}

/**
 * Looks for commits in a WAL that SQLite cannot read because something before them is damaged. Its
 * recovery stops at the first frame whose checksum is wrong, and takes what follows for leftovers.
 *
 * A crash tears the last commit alone, because each is synced before the next begins. So more than
 * one commit of this WAL at or behind the first bad frame shows that it was damaged later: by a
 * failing disk, or by somebody who wrote to it.
 *
 * @param path of the WAL; it may be missing
 * @returns undefined where the WAL is whole, or torn as a crash leaves it
 */
export function unreadableCommits(files: FileLayer, path: string): UnreadableCommits | undefined {
  if (!files.exists(path)) return undefined;
  const handle = files.open(path, {
    writable: false,
    create: false,
    exclusive: false,
    permissions: 0,
  });
  try {
    return countUnreadable(files, handle, files.stat(handle).size);
  } finally {
    files.close(handle);
  }
}

function countUnreadable(
  files: FileLayer,
  handle: FileHandle,
  size: number,
): UnreadableCommits | undefined {
  const header = readAt(files, handle, Buffer.alloc(HEADER_BYTES), 0);
  if (header === undefined || header.readUInt32BE(0) !== MAGIC) return undefined;
  const pageBytes = header.readUInt32BE(8);
  if (pageBytes < 512 || pageBytes > 65_536) return undefined;
  const salts = header.subarray(16, 24);
  const checksum = new Checksum();
  checksum.add(header.subarray(0, 24));
  // Of a damaged header SQLite reads nothing; whose frames these are, nobody can tell.
  if (!checksum.is(header, 24)) return undefined;

  const frame = Buffer.alloc(FRAME_HEADER_BYTES + pageBytes);
  let isWhole = true;
  let lost = 0;
  for (let at = HEADER_BYTES; at + frame.length <= size; at += frame.length) {
    if (readAt(files, handle, frame, at) === undefined) break;
    const isOurs = frame.subarray(8, 16).equals(salts);
    if (isWhole) {
      checksum.add(frame.subarray(0, 8));
      checksum.add(frame.subarray(FRAME_HEADER_BYTES));
      isWhole = isOurs && checksum.is(frame, 16);
    }
    // The size of the database after a commit stands in the last frame of each, and 0 in others.
    if (!isWhole && isOurs && frame.readUInt32BE(4) !== 0) lost += 1;
  }
  return lost > 1 ? { commits: lost, salts: salts.toString('hex') } : undefined;
}

function readAt(
  files: FileLayer,
  handle: FileHandle,
  into: Buffer,
  position: number,
): Buffer | undefined {
  for (let done = 0; done < into.length; ) {
    const read = files.read(handle, into, done, into.length - done, position + done);
    if (read <= 0) return undefined;
    done += read;
  }
  return into;
}

/** The running checksum of a WAL, https://sqlite.org/fileformat2.html#checksum_algorithm. */
class Checksum {
  #a = 0;
  #b = 0;

  /** @param bytes a multiple of eight of them */
  add(bytes: Buffer): void {
    const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at < bytes.length; at += 8) {
      this.#a = (this.#a + words.getUint32(at, true) + this.#b) | 0;
      this.#b = (this.#b + words.getUint32(at + 4, true) + this.#a) | 0;
    }
  }

  /** Whether it stands at that place, big-endian as all of the format. */
  is(bytes: Buffer, at: number): boolean {
    return bytes.readInt32BE(at) === this.#a && bytes.readInt32BE(at + 4) === this.#b;
  }
}
