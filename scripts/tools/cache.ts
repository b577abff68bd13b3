import { createHash } from 'node:crypto';
import { access, constants, mkdir, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The directory of the modules and requirements that pin the tools. */
export const pins = fileURLToPath(new URL('../../tests/tools/', import.meta.url));

/**
 * Makes the directory that keeps what was built from exactly these inputs.
 *
 * @param name names what is kept there
 * @param files the files that pin it, below tests/tools
 * @param extra whatever else changes the result
 */
export async function cacheDirectory(
  name: string,
  files: readonly string[],
  extra: readonly string[],
): Promise<string> {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\n`);
  for (const file of files) hash.update(await readFile(join(pins, file)));
  for (const part of extra) hash.update(`\n${part}`);
  const base = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  const key = hash.digest('hex').slice(0, 16);
  const directory = join(base, 'agenttier-storage', 'tools', `${name}-${key}`);
  await mkdir(directory, { recursive: true });
  return directory;
}

/** Whether a file is there and may be run. */
export async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** Lists the executable files of these names on PATH, in PATH's order. */
export async function onPath(names: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const name of names) {
    for (const directory of (process.env.PATH ?? '').split(delimiter)) {
      const path = join(directory, name);
      if (directory !== '' && (await isExecutable(path))) found.push(path);
    }
  }
  return found;
}
