/**
 * What cannot be used is moved aside, never deleted: a person may still save something from it.
 */

import { basename, dirname } from 'node:path';
import type { FileLayer } from '../files/file-layer.ts';
import type { UnreadableCommits } from './damaged-wal.ts';
import { COMPANIONS, type Companion } from './wal-owner.ts';

const COPY_BYTES = 1_048_576;

/**
 * Renames a database that is damaged or none, with its WAL and journal, to
 * `<database>.corrupt-<time>`. The database goes first: a power cut in between leaves companions
 * without one, which {@link setOrphansAside} finds, and not an older state that looks whole.
 *
 * @param nowMs milliseconds since 1970
 * @returns what to tell the operator
 */
export function setAside(files: FileLayer, database: string, nowMs: number): string {
  const target = freeName(files, database, nowMs);
  files.rename(database, target);
  files.syncDirectory(dirname(database));
  moveCompanions(files, database, target, COMPANIONS);
  return (
    `${basename(database)} is damaged or not a database: it was moved to ${basename(target)} ` +
    'and a new one begun; recover what you need from it, then delete it'
  );
}

/**
 * Moves a WAL or journal aside whose database is gone: SQLite would delete them when it makes a
 * new one. It deletes a WAL beside an empty file, too; a journal there is what the making of the file
 * leaves when it is killed.
 *
 * @returns what to tell the operator, if there was one
 */
export function setOrphansAside(
  files: FileLayer,
  database: string,
  nowMs: number,
): string | undefined {
  if (sizeOf(files, database) > 0) return undefined;
  const lost: readonly Companion[] = files.exists(database) ? ['-wal'] : COMPANIONS;
  const orphans = lost.filter((suffix) => sizeOf(files, database + suffix) > 0);
  if (orphans.length === 0) return undefined;
  const target = freeName(files, database, nowMs);
  moveCompanions(files, database, target, lost);
  const names = orphans.map((suffix) => basename(target) + suffix).join(' and ');
  return `a WAL or journal lay here without its database: it was moved to ${names}`;
}

/**
 * Moves the WAL and journal aside that belong to another file than the one which lies there now:
 * SQLite would write their pages into it, and so destroy it.
 *
 * @param isFormer whether what lies there is the other file's, and did not come with this one
 * @returns what to tell the operator, if there were some
 */
export function setFormerAside(
  files: FileLayer,
  database: string,
  nowMs: number,
  isFormer: (companion: Companion) => boolean,
): string | undefined {
  const left = COMPANIONS.filter(
    (suffix) => sizeOf(files, database + suffix) > 0 && isFormer(suffix),
  );
  if (left.length === 0) return undefined;
  const target = freeName(files, database, nowMs);
  moveCompanions(files, database, target, left);
  const names = left.map((suffix) => basename(target) + suffix).join(' and ');
  return (
    `${basename(database)} was replaced while it was open: what had not reached the former file ` +
    `yet was moved to ${names}; stop the sidecar before you replace the file`
  );
}

/**
 * Keeps a copy of a WAL that is damaged, as SQLite reads none of what follows the damage and the WAL
 * is emptied: one copy, however often the opening fails afterwards.
 *
 * @param damage what was found in it
 * @returns what to tell the operator
 */
export function keepDamagedWal(
  files: FileLayer,
  database: string,
  { commits, salts }: UnreadableCommits,
): string {
  const wal = `${database}-wal`;
  const target = `${database}.corrupt-${salts}-wal`;
  if (sizeOf(files, target) !== sizeOf(files, wal)) {
    if (files.exists(target)) files.unlink(target);
    try {
      copy(files, wal, target);
    } catch (error) {
      // A part of it is of no use, and takes room that may be what is missing.
      if (files.exists(target)) files.unlink(target);
      throw error;
    }
    files.syncDirectory(dirname(database));
  }
  const what =
    commits === 'all'
      ? 'its header is damaged; what it held cannot be read and is'
      : `it was damaged: ${commits} commits in it cannot be read and are`;
  return (
    `${basename(wal)}: ${what} lost to the database; check the disk. ` +
    `A copy is ${basename(target)}`
  );
}

/** Size of a file, 0 when there is none. */
export function sizeOf(files: FileLayer, path: string): number {
  return files.exists(path) ? files.stat(path).size : 0;
}

function copy(files: FileLayer, from: string, to: string): void {
  const rights = { exclusive: true, permissions: 0o640 };
  const source = files.open(from, { writable: false, create: false, ...rights, exclusive: false });
  try {
    const target = files.open(to, { writable: true, create: true, ...rights });
    try {
      const chunk = Buffer.alloc(COPY_BYTES);
      let at = 0;
      for (;;) {
        const read = files.read(source, chunk, 0, chunk.length, at);
        if (read <= 0) break;
        for (let done = 0; done < read; ) {
          done += files.write(target, chunk, done, read - done, at + done);
        }
        at += read;
      }
      files.sync(target);
    } finally {
      files.close(target);
    }
  } finally {
    files.close(source);
  }
}

function moveCompanions(
  files: FileLayer,
  database: string,
  target: string,
  companions: readonly Companion[],
): void {
  for (const suffix of companions) {
    if (files.exists(database + suffix)) files.rename(database + suffix, target + suffix);
  }
  files.syncDirectory(dirname(database));
}

function freeName(files: FileLayer, database: string, nowMs: number): string {
  const time = new Date(nowMs).toISOString().replaceAll(/[-:]/g, '');
  const wanted = `${database}.corrupt-${time}`;
  const taken = (name: string) => ['', ...COMPANIONS].some((suffix) => files.exists(name + suffix));
  let name = wanted;
  for (let n = 2; taken(name); n++) name = `${wanted}-${n}`;
  return name;
}
