/**
 * The few file calls that the SQLite store makes, all synchronous, as an interface: the real one is
 * in node-files.ts; tests put ones in its place that inject faults or simulate a power cut.
 *
 * Whatever fails throws an error with a `code` (`ENOSPC`), as node:fs does.
 */

/** An open file. Its meaning is the layer's own. */
export type FileHandle = number;

export interface OpenMode {
  readonly writable: boolean;
  /** Creates the file when it is missing. */
  readonly create: boolean;
  /** With `create`: fails with EEXIST when it is there. */
  readonly exclusive: boolean;
  /** Permissions of a file that is created, before the umask. */
  readonly permissions: number;
}

export interface FileStat {
  readonly device: number;
  readonly inode: number;
  /** Type and permissions, `st_mode`. */
  readonly mode: number;
  /** 0 once the file was deleted under its open handle. */
  readonly links: number;
  readonly userId: number;
  readonly groupId: number;
  readonly size: number;
  readonly modifiedMs: number;
}

export interface Space {
  /** Bytes that an unprivileged process may still write. */
  readonly freeBytes: number;
  readonly totalBytes: number;
}

export interface FileLayer {
  /** Never follows a symbolic link at the last component (ELOOP). */
  open(path: string, mode: OpenMode): FileHandle;
  /** Returns how many bytes were read; 0 at the end of the file. */
  read(
    handle: FileHandle,
    into: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): number;
  /** Returns how many bytes were written; the caller goes on with the rest. */
  write(
    handle: FileHandle,
    from: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): number;
  truncate(handle: FileHandle, size: number): void;
  /** Returns when data and size are on the disk. After a failure nothing is known of what is. */
  sync(handle: FileHandle): void;
  close(handle: FileHandle): void;

  /** Follows symbolic links. */
  stat(target: FileHandle | string): FileStat;
  lstat(path: string): FileStat;
  /** Throws unless the access is granted; `mode` is R_OK, W_OK, X_OK or F_OK of node:fs. */
  access(path: string, mode: number): void;
  /** Throws where it cannot be told: what is not seen for a moment must not pass for gone. */
  exists(path: string): boolean;

  unlink(path: string): void;
  rename(from: string, to: string): void;
  /** Makes the names in a directory durable: creations, deletions and renames. */
  syncDirectory(path: string): void;

  /** Space of the volume that holds the path. */
  space(path: string): Space;
}
