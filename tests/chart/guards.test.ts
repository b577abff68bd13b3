import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { documentedValues } from '../../scripts/chart/documented-values.ts';
import { program } from '../../scripts/tools/program.ts';
import { mustRun, type Outcome, run } from '../../scripts/tools/run.ts';
import { chart, type Helm, helms } from './support/chart.ts';

// What units cannot see: all that Helm prints, of the schema and of its own too.
const paths = documentedValues(await readFile(`${chart}/values.yaml`, 'utf8')).map(
  ({ path }) => path,
);

beforeAll(async () => {
  for (const helm of helms) await program(helm);
}, 1_800_000);

async function template(helm: Helm, values: string, ...flags: string[]): Promise<Outcome> {
  const args = ['template', 'agenttier', chart, '--kube-version', '1.33.0', ...flags];
  return run(await program(helm), [...args, '--values', '-'], { stdin: values });
}

/** `a.b` and a value as nested maps. */
function nested(path: string, value: unknown): string {
  return JSON.stringify(
    path.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), value),
  );
}

describe.for(helms)('%s', (helm) => {
  const secrets = [
    'postgres://agent:hunter2@db/agenttier',
    'agent:hunter2@tcp(db:3306)/agenttier',
    'agent:hunter2@/agenttier',
    'http://agent:hunter2@proxy:3128',
    'host=db user=agent password=hunter2',
  ];
  const storage = paths.filter((path) => path.startsWith('optional.storage.'));

  it.for(storage)('refuses a secret in %s, and does not print it', async (path) => {
    for (const secret of secrets) {
      const { status, stdout, stderr } = await template(helm, nested(path, secret));
      expect(status).not.toBe(0);
      expect(stdout + stderr).not.toContain('hunter2');
    }
  });

  it('prints no secret of a name that is none', async () => {
    const values = nested('optional.storage.dsn', secrets[0]);
    const { status, stdout, stderr } = await template(helm, values);
    expect(status).not.toBe(0);
    expect(stderr).toContain('optional.storage.dsnSecret.name');
    expect(stdout + stderr).not.toContain('hunter2');
  });

  it('is a dependency with a condition, which is no value of its own', async () => {
    const parent = await mkdtemp(join(tmpdir(), 'chart-parent-'));
    onTestFinished(() => rm(parent, { recursive: true }));
    const dependency = { name: 'agenttier', version: '>=0.0.0-0', condition: 'agenttier.enabled' };
    const about = {
      apiVersion: 'v2',
      name: 'parent',
      version: '1.0.0',
      dependencies: [dependency],
    };
    await writeFile(join(parent, 'Chart.yaml'), JSON.stringify(about));
    await cp(chart, join(parent, 'charts', 'agenttier'), { recursive: true });
    const kinds = async (enabled: boolean) => {
      const args = ['template', 'a', parent, '--kube-version', '1.33.0', '--values', '-'];
      const values = { agenttier: { enabled, optional: { storage: { enabled: true } } } };
      const text = await mustRun(await program(helm), args, { stdin: JSON.stringify(values) });
      return [...text.matchAll(/^kind: (\w+)$/gm)].map(([, kind]) => kind);
    };
    expect(await kinds(true)).toEqual(
      expect.arrayContaining(['Deployment', 'PersistentVolumeClaim']),
    );
    expect(await kinds(false)).toEqual([]);

    const { status, stderr } = await template(helm, nested('enabled', true));
    expect(status).not.toBe(0);
    expect(stderr).toContain('enabled is not a value of this chart');
  });

  it('renders nothing by the template of the guards', async () => {
    const { status, stdout } = await template(helm, nested('optional.storage.enabled', true));
    expect(status).toBe(0);
    expect(stdout).not.toContain('validate.yaml');
  });
});

const sections = [
  ...new Set(paths.flatMap((path) => path.split('.').slice(0, -1).map(upTo(path)))),
].sort();

/** The path up to its nth key. */
function upTo(path: string): (key: string, n: number) => string {
  const keys = path.split('.');
  return (_, n) => keys.slice(0, n + 1).join('.');
}

/** Where a manifest has a null, which is nothing that anybody meant. */
function nulls(node: unknown, path = ''): string[] {
  if (node === null) return [path];
  if (typeof node !== 'object') return [];
  return Object.entries(node).flatMap(([key, child]) => nulls(child, `${path}.${key}`));
}

it.for([...sections, ...paths])('takes or explains an empty %s', async (path) => {
  const everything = fileURLToPath(new URL('values/observed.yaml', import.meta.url));
  const flags = ['--values', everything];
  const { status, stdout, stderr } = await template('helm3', nested(path, null), ...flags);
  if (status !== 0) {
    expect(stderr).toMatch(/- \S+ is empty or null/);
    return;
  }
  expect(stdout).not.toMatch(/%!|<nil>|<no value>/);
  const objects = parseAllDocuments(stdout).map((each): unknown => each.toJS());
  expect(objects.filter((each) => each !== null).flatMap((each) => nulls(each))).toEqual([]);
});
