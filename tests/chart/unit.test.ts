import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { program } from '../../scripts/tools/program.ts';
import { run } from '../../scripts/tools/run.ts';
import { chart } from './support/chart.ts';

const unit = fileURLToPath(new URL('unit', import.meta.url));
const suites = (await readdir(unit)).filter((name) => name.endsWith('_test.yaml')).sort();

beforeAll(async () => {
  await program('helm-unittest');
}, 1_800_000);

it.for(suites)('%s', (suite) => expectToPass(join(unit, suite)));

// helm-unittest writes a snapshot that is missing, and passes; one that no test asks for it leaves.
it('has exactly the snapshots that its tests write (npm run chart:snapshots)', async () => {
  const copy = await mkdtemp(join(tmpdir(), 'chart-unit-'));
  onTestFinished(() => rm(copy, { recursive: true }));
  await cp(unit, copy, { recursive: true, filter: (path) => !path.endsWith('__snapshot__') });
  for (const suite of suites) {
    const text = await readFile(join(copy, suite), 'utf8');
    if (text.includes('matchSnapshot')) await expectToPass(join(copy, suite));
  }
  expect(await snapshots(unit)).toEqual(await snapshots(copy));
});

async function expectToPass(suite: string): Promise<void> {
  const unittest = await program('helm-unittest');
  const args = ['--strict', '--file', relative(chart, suite), chart];
  const { status, stdout, stderr } = await run(unittest, args);
  if (status !== 0) expect.fail(stdout + stderr);
  // A pattern that finds no file passes, too.
  expect(stdout).toMatch(/^Tests:\s+[1-9]\d* passed, [1-9]\d* total$/m);
}

async function snapshots(directory: string): Promise<Record<string, string>> {
  const files = await readdir(join(directory, '__snapshot__'));
  const texts = files.map(async (name) => {
    return [name, await readFile(join(directory, '__snapshot__', name), 'utf8')] as const;
  });
  return Object.fromEntries(await Promise.all(texts));
}
