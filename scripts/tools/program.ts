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

  const { module, sources = [] } = wanted;
  const files = [`${module}/go.mod`, `${module}/go.sum`, ...sources];
  const directory = await cacheDirectory(module, files, [ldflags[module]]);
  const path = join(directory, name);
  if (await isExecutable(path)) return path;

  const go = await findGo(name);
  await locked(join(directory, 'lock'), build, [
    path,
    go,
    join(pins, module),
    ldflags[module],
    wanted.package,
  ]);
  return path;
}

async function findGo(name: string): Promise<string> {
  const [go] = await onPath(['go']);
  const version = go === undefined ? '' : (await run(go, ['env', 'GOVERSION'])).stdout.trim();
  const [, major = 0, minor = 0] = /^go(\d+)\.(\d+)/.exec(version) ?? [];
  // From 1.21 on, Go fetches the release that a go.mod asks for.
  if (go !== undefined && (Number(major) > 1 || Number(minor) >= 21)) return go;
  throw new Error(
    `${name} is not on PATH, and ${version === '' ? 'there is no Go' : `${version} is too old`} ` +
      `to build it: install ${name}, or Go 1.21 or later (apt-get install golang, or ` +
      'https://go.dev/dl)',
  );
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
