/**
 * What cannot be used is moved aside, never deleted: a person may still save something from it.
 */

import { basename, dirname } from 'node:path';
import type { FileLayer } from '../files/file-layer.ts';

const COMPANIONS = ['-wal', '-journal'] as const;

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
  moveCompanions(files, database, target);
  return (
    `${basename(database)} is damaged or not a database: it was moved to ${basename(target)} ` +
    'and a new one begun; recover what you need from it, then delete it'
  );
}

/**
 * Moves a WAL or journal aside whose database is gone: SQLite would delete them when it makes a
 * new one.
 *
 * @returns what to tell the operator, if there was one
 */
export function setOrphansAside(
  files: FileLayer,
  database: string,
  nowMs: number,
): string | undefined {
  if (files.exists(database)) return undefined;
  const orphans = COMPANIONS.filter((suffix) => sizeOf(files, database + suffix) > 0);
  if (orphans.length === 0) return undefined;
  const target = freeName(files, database, nowMs);
  moveCompanions(files, database, target);
  const names = orphans.map((suffix) => basename(target) + suffix).join(' and ');
  return `a WAL or journal lay here without its database: it was moved to ${names}`;
}

/** Size of a file, 0 when there is none. */
export function sizeOf(files: FileLayer, path: string): number {
  return files.exists(path) ? files.stat(path).size : 0;
}

function moveCompanions(files: FileLayer, database: string, target: string): void {
  for (const suffix of COMPANIONS) {
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
