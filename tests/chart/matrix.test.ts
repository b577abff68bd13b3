import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { program } from '../../scripts/tools/program.ts';
import { type Outcome, run } from '../../scripts/tools/run.ts';
import { chart, type Helm, helms, readValueSet, render, type ValueSet } from './support/chart.ts';
import { type Fault, type Manifests, schemaFaults } from './support/schemas.ts';

const directory = fileURLToPath(new URL('values', import.meta.url));
const files = (await readdir(directory)).filter((name) => name.endsWith('.yaml')).sort();
const sets = await Promise.all(
  files.map((file) => readValueSet(join(directory, file), file.replace(/\.yaml$/, ''))),
);

describe.for(sets)('the values $name', (set) => {
  it.for(helms)('pass the strict lint of %s', async (helm) => {
    for (const version of [set.versions.at(0), set.versions.at(-1)]) {
      const { status, stdout, stderr } = await lint(helm, set, `${version}.0`);
      expect(status, stdout + stderr).toBe(0);
    }
  });

  it('render the same with Helm 3 and Helm 4, and fit the strict schemas', async () => {
    for (const version of set.versions) {
      const [three, four] = await Promise.all(helms.map((helm) => rendered(helm, set, version)));
      expect(four).toBe(three);
    }
    expect((await faults).filter(({ name }) => name === set.name)).toEqual([]);
  });
});

it('holds a manifest to the schemas, so that a field which is none shows', async () => {
  const text = [
    'apiVersion: v1',
    'kind: Service',
    'metadata: { name: a }',
    'spec: { ports: [{ port: http }], selectors: {} }',
  ].join('\n');
  const found = await schemaFaults([{ name: 'a', versions: ['1.27', '1.37'], text }]);
  const messages = (version: string) =>
    found.filter((fault) => fault.version === version).map(({ message }) => message);
  for (const version of ['1.27', '1.37']) {
    expect(messages(version)).toContainEqual(expect.stringContaining("'selectors' was unexpected"));
    expect(messages(version)).toContainEqual(expect.stringContaining("'http' is not of type"));
  }
});

async function lint(helm: Helm, set: ValueSet, version: string): Promise<Outcome> {
  return run(await program(helm), [
    'lint',
    '--strict',
    '--kube-version',
    version,
    '--values',
    set.path,
    chart,
  ]);
}

const texts = new Map<string, Promise<string>>();

function rendered(helm: Helm, set: ValueSet, version: string): Promise<string> {
  const key = `${helm} ${set.name} ${version}`;
  const text = texts.get(key) ?? render(helm, set, version);
  texts.set(key, text);
  return text;
}

let faults: Promise<Fault[]>;

// All in one process, which takes long to load the schemas.
beforeAll(async () => {
  const manifests: Manifests[] = [];
  for (const set of sets) {
    const { name, versions } = set;
    // What does not render fails the test of its values, with Helm's reason.
    const all = versions.map((version) => rendered('helm3', set, version).catch(() => ''));
    for (const [i, text] of (await Promise.all(all)).entries()) {
      manifests.push({ name, versions: versions.slice(i, i + 1), text });
    }
  }
  faults = schemaFaults(manifests);
  await faults;
}, 1_800_000);
