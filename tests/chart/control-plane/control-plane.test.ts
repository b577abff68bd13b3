import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, readdir, readlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';

const script = `
import { startControlPlane } from ${JSON.stringify(new URL('control-plane.ts', import.meta.url).href)};
const plane = await startControlPlane();
console.log(plane.kubeconfig);
setInterval(() => {}, 1000);
`;

/** The processes that work in a directory. */
async function workersIn(directory: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '');
    if (cwd.startsWith(directory)) found.push(pid);
  }
  return found;
}

it('leaves neither a process nor a file behind when its owner is killed', async () => {
  const owner = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void owner.kill('SIGKILL'));
  const [line] = (await once(owner.stdout.setEncoding('utf8'), 'data')) as [string];
  const directory = dirname(line.trim());
  await access(directory);
  expect(await workersIn(directory)).toHaveLength(3);

  owner.kill('SIGKILL');
  await vi.waitFor(() => expect(access(directory)).rejects.toThrow('ENOENT'), 20_000);
  // A removed directory shows with a suffix that says so, and still starts with its name.
  expect(await workersIn(directory)).toEqual([]);
});
