import { constants } from 'node:fs';
import type { Connection } from '../engine/connection.ts';
import { openConnection } from '../engine/engine.ts';
import { isSame } from '../files/file-identity.ts';
import type { FileLayer } from '../files/file-layer.ts';
import { unreadableCommits } from './damaged-wal.ts';
import { DatabaseError } from './database-error.ts';
import { refuseForeignWriter } from './foreign-sqlite.ts';
import { fullCheck } from './full-check.ts';
import { readMeta } from './meta.ts';
import { checkWriter, type Migrated, migrate } from './migrations.ts';
import { Ownership } from './ownership.ts';
import { keepDamagedWal, setAside, setOrphansAside, sizeOf } from './quarantine.ts';
import { isCorruption } from './result-codes.ts';
import { Seal } from './seal.ts';
import { applySettings, useWal } from './settings.ts';
import { unknownOwner, type WalOwner } from './wal-owner.ts';

export interface DatabaseOptions {
  /** Absolute, symbolic links resolved, in a directory that exists. */
  readonly path: string;
  readonly files: FileLayer;
  readonly cacheBytes: number;
  /** Of this build; goes into the file as its last writer. */
  readonly version: string;
  /** Looks at the whole file before use: SQLite met damage in it. */
  readonly checkInFull?: boolean;
  /** Kept from one connection to the next. */
  readonly walOwner?: WalOwner;
  /**
   * Told at once what was found amiss and dealt with, for the operator: the opening may fail after it.
   */
  readonly onNotice?: (notice: string) => void;
  /** Called before anything changes on the disk; what it throws forbids the change. */
  readonly beforeWrite?: () => void;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Milliseconds of a clock that nobody sets. */
  readonly monotonic?: () => number;
}

export interface OpenedFile {
  readonly connection: Connection;
  /** Closed, it keeps the connection from changing anything. */
  readonly seal: Seal;
  /** What was done to the file; undefined when it was up to date. */
  readonly migrated: Migrated | undefined;
}

/**
 * Opens a database file and makes it ready: a new one gets its schema, another program's or an
 * older one is migrated, a damaged one is moved aside and a new one begun. Of a file in order it
 * reads header and schema, nothing more.
 */
export async function openFile(options: DatabaseOptions): Promise<OpenedFile> {
  const { path, files, now = Date.now } = options;
  const tell = (notice: string | undefined) => {
    if (notice !== undefined) options.onNotice?.(notice);
  };
  // SQLite would open a file that it may not write for reading alone.
  if (files.exists(path)) files.access(path, constants.R_OK | constants.W_OK);
  refuseForeignWriter(files, path);
  tell(setOrphansAside(files, path, now()));
  const walOwner = options.walOwner ?? unknownOwner();
  const ownership = new Ownership(files, path, walOwner);
  tell(ownership.begin(now()));
  try {
    const unreadable = unreadableCommits(files, path);
    if (unreadable !== undefined) tell(keepDamagedWal(files, path, unreadable));
    return await openOwned({ ...options, walOwner }, () => {
      tell(setAside(files, path, now()));
      walOwner.file = undefined;
    });
  } finally {
    ownership.end();
  }
}

/** Closes a connection that failed already: the failure says more than that of its end. */
export function closeQuietly(connection: Connection): void {
  try {
    connection.close();
  } catch {
    // Its files are closed in any case.
  }
}

type OwnedOptions = DatabaseOptions & { readonly walOwner: WalOwner };

async function openOwned(options: OwnedOptions, moveAside: () => void): Promise<OpenedFile> {
  const { path, files, checkInFull } = options;
  // SQLite takes a file of one byte for an empty one, and would overwrite it.
  if (sizeOf(files, path) === 1) moveAside();
  if (checkInFull === true && files.exists(path) && (await isDamaged(options))) moveAside();
  try {
    return await prepare(options);
  } catch (error) {
    if (!isCorruption(error) || !(await isDamaged(options))) throw error;
    moveAside();
    return await prepare(options);
  }
}

/**
 * Opens the file that the WAL belongs to, or none: by another one's name it would have been given to
 * that. Nothing has been read of either yet.
 */
async function connect(options: OwnedOptions, seal: Seal): Promise<Connection> {
  const { walOwner } = options;
  const connection = await openConnection({ ...options, beforeWrite: seal.check });
  const { file } = connection;
  walOwner.file ??= file;
  if (isSame(file, walOwner.file)) return connection;
  // SQLite empties and removes the WAL with its last connection.
  seal.closed = true;
  closeQuietly(connection);
  throw new DatabaseError(`${options.path} was replaced while it was being opened`, {
    hint: 'stop the sidecar before the file is moved; it is opened anew',
  });
}

async function prepare(options: OwnedOptions): Promise<OpenedFile> {
  const seal = new Seal(options.beforeWrite);
  const connection = await connect(options, seal);
  try {
    applySettings(connection, options.cacheBytes);
    checkWriter(readMeta(connection));
    useWal(connection);
    const migrated = migrate(connection, options.version);
    const unreadable = migrated?.timesUnreadable ?? 0;
    if (unreadable > 0) {
      options.onNotice?.(
        `${unreadable} adopted rows have a ts that is no RFC 3339 time: lists may misplace them, and leave out those where it is NULL`,
      );
    }
    return { connection, seal, migrated };
  } catch (error) {
    seal.closed = isCorruption(error);
    closeQuietly(connection);
    throw error;
  }
}

/** Whether a full look at the file, WAL included, finds damage. */
async function isDamaged(options: OwnedOptions): Promise<boolean> {
  const seal = new Seal(options.beforeWrite);
  const connection = await connect(options, seal);
  try {
    seal.closed = fullCheck(connection, options.cacheBytes).length > 0;
    return seal.closed;
  } finally {
    closeQuietly(connection);
  }
}
