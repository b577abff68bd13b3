import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { onPath } from '../../scripts/tools/cache.ts';
import { run } from '../../scripts/tools/run.ts';

const script = fileURLToPath(new URL('../../scripts/tools.ts', import.meta.url));
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tools-'));
  await mkdir(join(directory, 'bin'));
  // The machine's own PATH may hold Go, Helm or Kubernetes.
  for (const name of ['bash', 'chmod', 'flock', 'mv', 'sleep']) {
    const [path] = await onPath([name]);
    await symlink(path ?? name, join(directory, 'bin', name));
  }
  onTestFinished(() => rm(directory, { recursive: true }));
});

/** Puts a shell script on the PATH that the tools see. */
async function put(name: string, text: string): Promise<string> {
  const path = join(directory, 'bin', name);
  await writeFile(path, `#!/bin/sh\n${text}\n`);
  await chmod(path, 0o755);
  return path;
}

/** Asks for programs with a cache of the test's own. */
function tools(...names: string[]) {
  const env = { PATH: join(directory, 'bin'), XDG_CACHE_HOME: directory };
  return run(process.execPath, [script, ...names], { env });
}

it('takes a program that is on PATH, and Helm by its major version', async () => {
  const three = await put('helm', '[ "$1" = version ] && echo v3.99.0');
  const four = await put('helm4', '[ "$1" = version ] && echo v4.99.0');
  const apiserver = await put('kube-apiserver', '');
  const { stdout, stderr } = await tools('helm3', 'helm4', 'kube-apiserver');
  expect(stdout, stderr).toBe(`${three}\n${four}\n${apiserver}\n`);
});

it('builds a program once for callers that ask at the same time', async () => {
  const log = join(directory, 'log');
  await put(
    'go',
    `if [ "$1" = env ]; then echo go1.26.8; exit; fi
    echo "$PWD" >> ${log}; sleep 0.3
    while [ "$1" != -o ]; do shift; done
    printf '#!/bin/sh' > "$2"; chmod 755 "$2"`,
  );
  const outcomes = await Promise.all([1, 2, 3].map(() => tools('kubelet')));
  const [path] = outcomes.map(({ stdout }) => stdout.trim());
  for (const { status, stdout, stderr } of outcomes) {
    expect(status, stderr).toBe(0);
    expect(stdout.trim()).toBe(path);
  }
  expect(path?.startsWith(join(directory, 'agenttier-storage', 'tools', 'kubernetes-'))).toBe(true);
  expect((await stat(path ?? '')).mode & 0o111).not.toBe(0);
  const { stdout: builds } = await run('wc', ['-l', log]);
  expect(builds).toMatch(/^1 /);
});

it('leaves nothing that looks built when a build fails', async () => {
  await put('go', '[ "$1" = env ] && echo go1.26.8 && exit; echo "no space left" >&2; exit 1');
  const { status, stderr } = await tools('kubelet');
  expect(status).toBe(1);
  expect(stderr).toContain('no space left');
  const cache = join(directory, 'agenttier-storage', 'tools');
  for (const module of await readdir(cache)) {
    expect(await readdir(join(cache, module))).toEqual(['lock']);
  }
});

it.for([
  ['there is no Go', undefined],
  ['go1.19.8 is too old', 'echo go1.19.8'],
] as const)('says what to install where %s', async ([reason, go]) => {
  if (go !== undefined) await put('go', go);
  const { status, stderr } = await tools('kubelet');
  expect(status).toBe(1);
  expect(stderr).toContain(`kubelet is not on PATH, and ${reason}`);
  expect(stderr).toContain('apt-get install golang');
});

it('names the programs that it knows when asked for another', async () => {
  const { status, stderr } = await tools('docker');
  expect(status).toBe(2);
  expect(stderr).toContain('no such program: docker; known are helm3, helm4');
});
