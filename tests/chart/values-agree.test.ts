import { readFile } from 'node:fs/promises';
import { Ajv } from 'ajv';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { documentedValues } from '../../scripts/chart/documented-values.ts';
import { valuesTable, withTable } from '../../scripts/chart/values-table.ts';
import { chart } from './support/chart.ts';

interface Schema {
  readonly $ref?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
}

const read = (name: string) => readFile(`${chart}/${name}`, 'utf8');
const yaml = await read('values.yaml');
const schema = JSON.parse(await read('values.schema.json')) as Schema;
const documented = documentedValues(yaml);

/** The schema's leaves by path; a section is what has properties. */
function leaves(node: Schema, path = ''): [string, Schema][] {
  return Object.entries(node.properties ?? {}).flatMap(([key, child]) => {
    const name = path === '' ? key : `${path}.${key}`;
    return child.properties === undefined ? [[name, child]] : leaves(child, name);
  });
}

const admitted = ['#/definitions/upstream', '#/definitions/nearMiss'];
const known = leaves(schema).filter(
  ([, { $ref }]) => $ref === undefined || !admitted.includes($ref),
);

it('says of every value in values.yaml what it means', () => {
  expect(documented.length).toBeGreaterThan(50);
  expect(documented.filter(({ description }) => description === '')).toEqual([]);
});

it('has the same values in values.yaml and in the schema, in the same words', () => {
  const words = known.map(([path, { description }]) => [path, description]);
  const ours = documented.map(({ path, description }) => [path, description]);
  expect(Object.fromEntries(words)).toEqual(Object.fromEntries(ours));
});

it("has the table of values.yaml in the chart's README (npm run chart:docs)", async () => {
  const readme = await read('README.md');
  expect(readme).toBe(withTable(readme, valuesTable(documented)));
});

it('has defaults that the schema takes', () => {
  const validate = new Ajv({ strict: false, allErrors: true }).compile(schema);
  validate(parse(yaml));
  expect(validate.errors).toBeNull();
});

it('admits by the schema exactly the near misses that the guards explain', async () => {
  const guards = await read('templates/guards/_names.tpl');
  const table = /define "agenttier\.guards\.near-misses" -}}\n([^{]+)/.exec(guards)?.[1] ?? '';
  const rows = Object.entries(parse(table) as Record<string, string>);
  const nearMisses = leaves(schema)
    .filter(([, { $ref }]) => $ref === '#/definitions/nearMiss')
    .map(([path]) => path);
  expect(rows.map(([from]) => from).sort()).toEqual(nearMisses.sort());

  // The right name is a value or a section.
  const right = rows.map(([, to]) => to).filter((to) => to !== '');
  const paths = known.map(([path]) => path);
  expect(right.filter((to) => !paths.some((path) => `${path}.`.startsWith(`${to}.`)))).toEqual([]);
});

it('reads comments above keys, further lines, defaults in words and whole maps', () => {
  const text = [
    'a:',
    '  # Not of the value.',
    '  #',
    '  # -- First',
    '  # and second line',
    '  # @default -- in words',
    '  b: ""',
    '  c: 1',
    '  # -- A map',
    '  d:',
    '    e: [x]',
  ].join('\n');
  expect(documentedValues(text)).toEqual([
    { path: 'a.b', description: 'First and second line', fallback: 'in words' },
    { path: 'a.c', description: '', fallback: '`1`' },
    { path: 'a.d', description: 'A map', fallback: '`{"e":["x"]}`' },
  ]);
});
