import { constants } from 'node:fs';
import type { Connection } from '../engine/connection.ts';
import { openConnection } from '../engine/engine.ts';
import type { FileLayer } from '../files/file-layer.ts';
import { unreadableCommits } from './damaged-wal.ts';
import { refuseForeignWriter } from './foreign-sqlite.ts';
import { fullCheck } from './full-check.ts';
import { readMeta } from './meta.ts';
import { checkWriter, type Migrated, migrate } from './migrations.ts';
import { keepDamagedWal, setAside, setFormerAside, setOrphansAside, sizeOf } from './quarantine.ts';
import { isCorruption } from './result-codes.ts';
import { Seal } from './seal.ts';
import { applySettings, useWal } from './settings.ts';

export interface DatabaseOptions {
  /** Absolute, symbolic links resolved, in a directory that exists. */
  readonly path: string;
  readonly files: FileLayer;
  readonly cacheBytes: number;
  /** Of this build; goes into the file as its last writer. */
  readonly version: string;
  /** Looks at the whole file before use: SQLite met damage in it. */
  readonly checkInFull?: boolean;
  /** Of the file that was open at this path before, in this process. */
  readonly formerInode?: number | undefined;
  /** Called before anything changes on the disk; what it throws forbids the change. */
  readonly beforeWrite?: () => void;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Milliseconds of a clock that nobody sets. */
  readonly monotonic?: () => number;
}

export interface OpenedFile {
  readonly connection: Connection;
  /** What was found amiss and dealt with, for the operator. */
  readonly notices: readonly string[];
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
  const notices: string[] = [];
  // SQLite would open a file that it may not write for reading alone.
  if (files.exists(path)) files.access(path, constants.R_OK | constants.W_OK);
  refuseForeignWriter(files, path);
  const orphans = setOrphansAside(files, path, now());
  if (orphans !== undefined) notices.push(orphans);
  const { formerInode } = options;
  const replaced =
    formerInode === undefined ? undefined : setFormerAside(files, path, now(), formerInode);
  if (replaced !== undefined) notices.push(replaced);
  const unreadable = unreadableCommits(files, `${path}-wal`);
  if (unreadable > 0) notices.push(keepDamagedWal(files, path, now(), unreadable));
  // SQLite takes a file of one byte for an empty one, and would overwrite it.
  if (sizeOf(files, path) === 1) notices.push(setAside(files, path, now()));
  if (options.checkInFull === true && files.exists(path) && (await isDamaged(options))) {
    notices.push(setAside(files, path, now()));
  }
  try {
    return await prepare(options, notices);
  } catch (error) {
    if (!isCorruption(error) || !(await isDamaged(options))) throw error;
    notices.push(setAside(files, path, now()));
    return await prepare(options, notices);
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

async function prepare(options: DatabaseOptions, notices: readonly string[]): Promise<OpenedFile> {
  const seal = new Seal(options.beforeWrite);
  const connection = await openConnection({ ...options, beforeWrite: seal.check });
  try {
    applySettings(connection, options.cacheBytes);
    checkWriter(readMeta(connection));
    useWal(connection);
    const migrated = migrate(connection, options.version);
    const unreadable = migrated?.timesUnreadable ?? 0;
    if (unreadable === 0) return { connection, notices, migrated };
    const notice = `${unreadable} adopted rows have a ts that is no RFC 3339 time: lists by time may misplace them`;
    return { connection, notices: [...notices, notice], migrated };
  } catch (error) {
    seal.closed = isCorruption(error);
    closeQuietly(connection);
    throw error;
  }
}

/** Whether a full look at the file, WAL included, finds damage. */
async function isDamaged(options: DatabaseOptions): Promise<boolean> {
  const seal = new Seal(options.beforeWrite);
  const connection = await openConnection({ ...options, beforeWrite: seal.check });
  try {
    seal.closed = fullCheck(connection, options.cacheBytes).length > 0;
    return seal.closed;
  } finally {
    closeQuietly(connection);
  }
}
