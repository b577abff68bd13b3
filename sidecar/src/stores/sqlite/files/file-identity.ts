import type { FileStat } from './file-layer.ts';

/** Which file it is, whatever name it has. A number of an inode counts on its device alone. */
export interface FileIdentity {
  readonly device: number;
  readonly inode: number;
}

export function identityOf({ device, inode }: FileStat): FileIdentity {
  return { device, inode };
}

export function isSame(a: FileIdentity, b: FileIdentity | undefined): boolean {
  return a.inode === b?.inode && a.device === b.device;
}
