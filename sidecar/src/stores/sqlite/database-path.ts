import { mkdir, open, readlink, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { StoreError } from '../store-error.ts';
import { directoryError } from './files/directory-error.ts';

/** As many as Linux follows. */
const MAX_LINKS = 40;

/**
 * Finds where the database really lies, and makes its directory if that is missing. SQLite names
 * WAL and journal after the path it is given, so two names of one file must become one.
 *
 * @returns the absolute path without symbolic links; the file itself need not exist
 * @throws StoreError when there can be no file at this place
 */
export async function prepareDatabasePath(configured: string): Promise<string> {
  try {
    const path = await followLinks(resolve(configured));
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && !found.isFile()) {
      throw new StoreError(`the database path ${configured} is not a file`, {
        hint: 'set STORAGE_SQLITE_PATH to a file; its directory is made if it is missing',
      });
    }
    return path;
  } catch (error) {
    if (error instanceof StoreError) throw error;
    throw directoryError(`use ${configured} as the database's path`, error);
  }
}

/** Resolves the directory, and a link at the end that may lead to a file still to be made. */
async function followLinks(path: string, links = 0): Promise<string> {
  const directory = dirname(path);
  await makeDirectory(directory);
  const place = join(await realpath(directory), basename(path));
  let target: string;
  try {
    target = await readlink(place);
  } catch {
    return place;
  }
  if (links === MAX_LINKS) throw Object.assign(new Error('too many links'), { code: 'ELOOP' });
  return followLinks(resolve(dirname(place), target), links + 1);
}

/**
 * Makes what is missing and syncs each directory that got a new entry: SQLite does not. One at a
 * time, since the recursive mkdir of Node says ENOENT of a volume that is mounted read-only.
 */
async function makeDirectory(directory: string): Promise<void> {
  if (await isDirectory(directory)) return;
  const above = dirname(directory);
  await makeDirectory(above);
  try {
    await mkdir(directory, 0o750);
  } catch (error) {
    // Somebody else may have made it meanwhile.
    if (await isDirectory(directory)) return;
    throw error;
  }
  const parent = await open(above, 'r');
  try {
    await parent.sync();
  } finally {
    await parent.close();
  }
}

async function isDirectory(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory() === true;
}
