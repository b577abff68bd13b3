/** What is read of a WAL without SQLite, https://sqlite.org/fileformat2.html#the_write_ahead_log. */

import type { FileHandle, FileLayer } from '../files/file-layer.ts';

export const HEADER_BYTES = 32;
export const FRAME_HEADER_BYTES = 24;

/** Of a WAL whose checksums go over big-endian words; the last bit is 0 for little-endian ones. */
const MAGIC = 0x377f0683;

export interface WalHeader {
  readonly pageBytes: number;
  /** They change whenever a WAL begins anew, and stand in each of its frames. */
  readonly salts: Buffer;
  /** Over the header; that of the frames goes on from there. */
  readonly checksum: Checksum;
}

/** @returns undefined where SQLite would ignore the WAL, since its header does not check out */
export function walHeader(bytes: Buffer): WalHeader | undefined {
  const magic = bytes.readUInt32BE(0);
  const pageBytes = bytes.readUInt32BE(8);
  if ((magic | 1) !== MAGIC || !isPageSize(pageBytes)) return undefined;
  const checksum = new Checksum(magic !== MAGIC);
  checksum.add(bytes.subarray(0, 24));
  return checksum.is(bytes, 24)
    ? { pageBytes, salts: bytes.subarray(16, 24), checksum }
    : undefined;
}

/** Whether a WAL begins with these four bytes. */
export function isWalMagic(bytes: Buffer): boolean {
  return (bytes.readUInt32BE(0) | 1) === MAGIC;
}

export function isPageSize(bytes: number): boolean {
  return bytes >= 512 && bytes <= 65_536 && (bytes & (bytes - 1)) === 0;
}

/** The header of a frame; its page follows it. */
export class Frame {
  readonly bytes: Buffer;

  constructor(pageBytes: number) {
    this.bytes = Buffer.alloc(FRAME_HEADER_BYTES + pageBytes);
  }

  /** 1 for the first page of the database; 0 in no frame. */
  get pageNumber(): number {
    return this.bytes.readUInt32BE(0);
  }

  /** The size of the database after a commit stands in the last frame of each, and 0 in others. */
  get isCommit(): boolean {
    return this.bytes.readUInt32BE(4) !== 0;
  }

  get salts(): Buffer {
    return this.bytes.subarray(8, 16);
  }

  get page(): Buffer {
    return this.bytes.subarray(FRAME_HEADER_BYTES);
  }

  /** Whether its checksum follows from that of what stands before it, which goes on with it. */
  follows(checksum: Checksum): boolean {
    checksum.add(this.bytes.subarray(0, 8));
    checksum.add(this.page);
    return checksum.is(this.bytes, 16);
  }
}

/** Fills a buffer from a place in a file; false where that ends before it. */
export function readAt(
  files: FileLayer,
  handle: FileHandle,
  into: Buffer,
  position: number,
): boolean {
  for (let done = 0; done < into.length; ) {
    const read = files.read(handle, into, done, into.length - done, position + done);
    if (read <= 0) return false;
    done += read;
  }
  return true;
}

/** The running checksum of a WAL, https://sqlite.org/fileformat2.html#checksum_algorithm. */
class Checksum {
  readonly #isLittleEndian: boolean;
  #a = 0;
  #b = 0;

  constructor(isLittleEndian: boolean) {
    this.#isLittleEndian = isLittleEndian;
  }

  /** @param bytes a multiple of eight of them */
  add(bytes: Buffer): void {
    const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at < bytes.length; at += 8) {
      this.#a = (this.#a + words.getUint32(at, this.#isLittleEndian) + this.#b) | 0;
      this.#b = (this.#b + words.getUint32(at + 4, this.#isLittleEndian) + this.#a) | 0;
    }
  }

  /** Whether it stands at that place, big-endian as all of the format. */
  is(bytes: Buffer, at: number): boolean {
    return bytes.readInt32BE(at) === this.#a && bytes.readInt32BE(at + 4) === this.#b;
  }
}
