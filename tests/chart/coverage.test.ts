import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { documentedValues } from '../../scripts/chart/documented-values.ts';
import { program } from '../../scripts/tools/program.ts';
import { run } from '../../scripts/tools/run.ts';
import { chart } from './support/chart.ts';

const unit = fileURLToPath(new URL('unit', import.meta.url));
const suites = (await readdir(unit)).filter((name) => name.endsWith('_test.yaml')).sort();

/** What of a suite of helm-unittest tells which values it sets. */
interface Setting {
  set?: Record<string, unknown>;
  values?: string[];
}

interface Suite extends Setting {
  tests: (Setting & { it: string; asserts: object[] })[];
}

beforeAll(async () => {
  await program('helm-unittest');
}, 1_800_000);

/** Where a tree of values has a leaf: `a.b` for `{a: {b: 1}}` and for `{'a.b': 1}`, and every part. */
function paths(node: unknown, prefix = ''): string[] {
  if (typeof node !== 'object' || node === null || Array.isArray(node)) return [prefix];
  const inner = Object.entries(node).flatMap(([key, value]) =>
    paths(value, prefix === '' ? key : `${prefix}.${key}`),
  );
  return prefix === '' ? inner : [prefix, ...inner];
}

async function valuesOf(file: string): Promise<string[]> {
  return paths(parse(await readFile(join(unit, file), 'utf8')));
}

async function setBy({ set = {}, values = [] }: Setting): Promise<string[]> {
  return [...paths(set), ...(await Promise.all(values.map(valuesOf))).flat()];
}

it('has a unit test for every value that is documented', async () => {
  const set = new Set<string>();
  for (const name of suites) {
    const suite: Suite = parse(await readFile(join(unit, name), 'utf8'), { merge: true });
    for (const each of [suite, ...suite.tests]) for (const path of await setBy(each)) set.add(path);
    expect(suite.tests.filter(({ asserts }) => asserts.length === 0)).toEqual([]);
  }
  const documented = documentedValues(await readFile(join(chart, 'values.yaml'), 'utf8'));
  const untested = documented.filter(({ path }) => !set.has(path));
  expect(untested.map(({ path }) => path)).toEqual([]);
});

it('has a failing unit test for every message of the guards', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'chart-guards-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  await cp(chart, join(directory, 'chart'), { recursive: true });
  await cp(unit, join(directory, 'unit'), { recursive: true });

  // Every message gets a number and loses its words, so each test that waits for it fails and prints
  // the number.
  const guards = join(directory, 'chart/templates/guards');
  const messages: string[] = [];
  let calls = 0;
  for (const name of await readdir(guards)) {
    const template = await readFile(join(guards, name), 'utf8');
    const numbered = template.replaceAll(
      /include "agenttier\.refuse" \(list \$g (?:\(printf )?"([^"]+)".*\) -}}/g,
      (_, message: string) => {
        messages.push(message);
        return `include "agenttier.refuse" (list $g "message-${messages.length}.") -}}`;
      },
    );
    calls += template.split('include "agenttier.refuse"').length - 1;
    await writeFile(join(guards, name), numbered);
  }
  expect(messages.length).toBe(calls);

  const args = [
    '--file',
    relative(join(directory, 'chart'), join(directory, 'unit/guards_*.yaml')),
  ];
  const unittest = await program('helm-unittest');
  const { stdout } = await run(unittest, [...args, join(directory, 'chart')]);
  const seen = new Set([...stdout.matchAll(/message-(\d+)\./g)].map(([, n]) => Number(n)));
  expect(messages.filter((_, i) => !seen.has(i + 1))).toEqual([]);
});
