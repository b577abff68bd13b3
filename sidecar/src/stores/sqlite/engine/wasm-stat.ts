import type { FileStat } from '../files/file-layer.ts';
import type { Heap } from './heap.ts';

const BLOCK = 4_096;
/** Unit of st_blocks, whatever the block size. */
const STAT_UNIT = 512;

/** Writes a `struct stat` as Emscripten's C library lays it out for 32-bit WebAssembly. */
export function writeStat(heap: Heap, address: number, stat: FileStat): void {
  const view = heap.view;
  const u32 = (offset: number, value: number) =>
    view.setUint32(address + offset, value >>> 0, true);
  const i64 = (offset: number, value: number) =>
    view.setBigInt64(address + offset, BigInt(Math.floor(value)), true);
  u32(0, stat.device);
  u32(4, stat.mode);
  u32(8, stat.links);
  u32(12, stat.userId);
  u32(16, stat.groupId);
  u32(20, 0); // device that a special file stands for
  i64(24, stat.size);
  u32(32, BLOCK);
  u32(36, Math.ceil(stat.size / STAT_UNIT));
  for (const time of [40, 56, 72]) {
    i64(time, stat.modifiedMs / 1000);
    u32(time + 8, Math.floor(stat.modifiedMs % 1000) * 1_000_000);
  }
  i64(88, stat.inode);
}
