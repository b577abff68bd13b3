import fs from 'node:fs';
import type { FileLayer, FileStat } from './file-layer.ts';

const { O_CREAT, O_EXCL, O_RDONLY, O_RDWR } = fs.constants;
/** Missing on Windows. */
const O_NOFOLLOW = fs.constants.O_NOFOLLOW ?? 0;

/**
 * What file systems answer that cannot sync a directory (some network and FUSE ones). There is
 * nothing more to be done for durability there, and SQLite too goes on.
 */
const NO_DIRECTORY_SYNC = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP']);

/** The file layer on the real disk. */
export const nodeFiles: FileLayer = {
  open(path, { writable, create, exclusive, permissions }) {
    const flags =
      (writable ? O_RDWR : O_RDONLY) |
      (create ? O_CREAT : 0) |
      (exclusive ? O_EXCL : 0) |
      O_NOFOLLOW;
    return fs.openSync(path, flags, permissions);
  },
  read: fs.readSync,
  write: fs.writeSync,
  truncate: fs.ftruncateSync,
  sync: fs.fdatasyncSync,
  close: fs.closeSync,

  stat: (target) => toStat(typeof target === 'string' ? fs.statSync(target) : fs.fstatSync(target)),
  lstat: (path) => toStat(fs.lstatSync(path)),
  access: fs.accessSync,
  exists: (path) => fs.statSync(path, { throwIfNoEntry: false }) !== undefined,

  unlink: fs.unlinkSync,
  rename: fs.renameSync,
  syncDirectory(path) {
    const handle = fs.openSync(path, O_RDONLY);
    try {
      fs.fsyncSync(handle);
    } catch (error) {
      if (!NO_DIRECTORY_SYNC.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
    } finally {
      fs.closeSync(handle);
    }
  },

  space(path) {
    const { bavail, blocks, bsize } = fs.statfsSync(path);
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  },
};

function toStat(stat: fs.Stats): FileStat {
  return {
    device: stat.dev,
    inode: stat.ino,
    mode: stat.mode,
    links: stat.nlink,
    userId: stat.uid,
    groupId: stat.gid,
    size: stat.size,
    modifiedMs: stat.mtimeMs,
  };
}
