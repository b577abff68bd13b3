import { join } from 'node:path';
import { cacheDirectory, isExecutable, onPath, pins } from './cache.ts';
import { locked } from './lock.ts';

/**
 * Finds the Python that has the pinned `kubernetes-validate`, which ships Kubernetes' schemas; makes
 * it once, as a virtual environment in the user's cache.
 *
 * @returns the interpreter's absolute path
 * @throws saying what to install where there is no Python that can make one
 */
export async function schemaPython(): Promise<string> {
  const [python] = await onPath(['python3']);
  if (python === undefined) {
    throw new Error('python3 is not on PATH: install it (apt-get install python3-venv)');
  }
  const requirements = 'schemas/requirements.txt';
  const directory = await cacheDirectory('schemas', [requirements], [python]);
  const path = join(directory, 'bin', 'python');
  if (!(await isExecutable(join(directory, 'complete')))) {
    await locked(join(directory, 'lock'), make, [python, directory, join(pins, requirements)]);
  }
  return path;
}

const make = `
[[ -x $2/complete ]] && exit
"$1" -m venv "$2" ||
  { echo 'python3 cannot make a virtual environment: apt-get install python3-venv' >&2; exit 1; }
"$2/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$3"
install -m 755 /dev/null "$2/complete"
`;
