import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const main = fileURLToPath(new URL('../../../scripts/bench/main.ts', import.meta.url));

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(`${tmpdir()}/agenttier-bench-test-`);
  // Database servers run as users of their own, and have their data below.
  await chmod(directory, 0o711);
});

afterEach(() => rm(directory, { recursive: true, force: true }));

function bench(...args: string[]) {
  const env = { ...process.env, TMPDIR: directory };
  return run(process.execPath, [main, ...args], { env });
}

describe.runIf(process.platform === 'linux')('bench', () => {
  it('measures each figure and leaves nothing behind', { timeout: 300_000 }, async () => {
    const { stdout } = await bench('--quick');
    const figures = [...stdout.matchAll(/^(?:ok {4}|MISSED) .*: ([\d.]+)(?: MB| ms)? \(at /gm)];
    expect(figures).toHaveLength(14);
    for (const [, value] of figures) {
      expect(Number(value)).toBeGreaterThan(0);
      expect(Number(value)).toBeLessThan(10_000);
    }
    expect(stdout).not.toContain('NaN');
    expect(readdirSync(directory)).toEqual([]);
  });

  it('names a benchmark that does not exist, and those that do', async () => {
    await expect(bench('singel')).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /'singel'.*single, batch, durable, large, backup, postgres, mariadb/,
      ),
    });
  });
});
