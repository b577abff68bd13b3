import { join } from 'node:path';
import { cacheDirectory, isExecutable, onPath, pins } from './cache.ts';
import { catalogue, ldflags, type Program, type ProgramName } from './catalogue.ts';
import { locked } from './lock.ts';
import { run } from './run.ts';

const known = new Map<ProgramName, Promise<string>>();

/**
 * Finds a program on PATH, or builds it once from its pinned module into the user's cache
 * (`$XDG_CACHE_HOME/agenttier-storage/tools`).
 *
 * @returns its absolute path
 * @throws saying what to install where it is not on PATH and cannot be built
 */
export function program(name: ProgramName): Promise<string> {
  let path = known.get(name);
  if (path === undefined) {
    path = findOrBuild(name);
    known.set(name, path);
  }
  return path;
}

async function findOrBuild(name: ProgramName): Promise<string> {
  const wanted: Program = catalogue[name];
  for (const path of await onPath(wanted.names)) if (await isMeant(path, wanted)) return path;

  const { module } = wanted;
  const files = [`${module}/go.mod`, `${module}/go.sum`];
  const directory = await cacheDirectory(module, files, [ldflags[module]]);
  const path = join(directory, name);
  if (await isExecutable(path)) return path;

  const [go] = await onPath(['go']);
  if (go === undefined) {
    throw new Error(
      `${name} is not on PATH, and there is no Go to build it with: install ${name}, or Go 1.21 ` +
        'or later (apt-get install golang, or https://go.dev/dl)',
    );
  }
  await locked(join(directory, 'lock'), build, [
    path,
    go,
    join(pins, module),
    ldflags[module],
    wanted.package,
  ]);
  return path;
}

// Built beside its place and renamed, so that whoever finds it finds all of it.
const build = `
[[ -x $1 ]] && exit
cd "$3"
"$2" build -ldflags "$4" -o "$1.part" "$5"
mv "$1.part" "$1"
`;

async function isMeant(path: string, { expect }: Program): Promise<boolean> {
  if (expect === undefined) return true;
  const { status, stdout } = await run(path, expect.args);
  return status === 0 && expect.output.test(stdout);
}
