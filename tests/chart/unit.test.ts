import { readdir } from 'node:fs/promises';
import { beforeAll, expect, it } from 'vitest';
import { program } from '../../scripts/tools/program.ts';
import { run } from '../../scripts/tools/run.ts';
import { chart } from './support/chart.ts';

const suites = (await readdir(new URL('unit', import.meta.url).pathname))
  .filter((name) => name.endsWith('_test.yaml'))
  .sort();

beforeAll(async () => {
  await program('helm-unittest');
}, 1_800_000);

it.for(suites)('%s', async (suite) => {
  const file = `../tests/chart/unit/${suite}`;
  const unittest = await program('helm-unittest');
  const { status, stdout, stderr } = await run(unittest, ['--strict', '--file', file, chart]);
  if (status !== 0) expect.fail(stdout + stderr);
  // A pattern that finds no file passes, too.
  expect(stdout).toMatch(/^Tests:\s+[1-9]\d* passed, [1-9]\d* total$/m);
});
