import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { program } from '../../scripts/tools/program.ts';
import { type Outcome, run } from '../../scripts/tools/run.ts';
import { schemaPython } from '../../scripts/tools/schemas.ts';
import { chart, type Helm, helms } from './support/chart.ts';

// docs/ci.md as written: its values, and its commands in their order, with each Helm as `helm`.
const text = await readFile(new URL('../../docs/ci.md', import.meta.url), 'utf8');
const [values = ''] = blocks('yaml');
const [render = '', validate = '', policy = ''] = blocks('sh');

function blocks(language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map(
    ([, block]) => block ?? '',
  );
}

beforeAll(async () => {
  await schemaPython();
  for (const helm of helms) await program(helm);
}, 1_800_000);

/** A checkout whose shell has what the document asks for. */
async function checkout(helm: Helm): Promise<(script: string) => Promise<Outcome>> {
  const cwd = await mkdtemp(join(tmpdir(), 'agenttier-ci-'));
  onTestFinished(() => rm(cwd, { recursive: true }));
  const bin = join(cwd, 'bin');
  await mkdir(bin);
  await symlink(await program(helm), join(bin, 'helm'));
  await symlink(chart, join(cwd, 'chart'));
  const PATH = [bin, dirname(await schemaPython()), process.env.PATH].join(':');
  const env = { ...process.env, PATH, HOME: cwd };
  await writeFile(join(cwd, 'values.yaml'), values);
  return (script) => run('bash', ['-e', '-c', script], { cwd, env });
}

describe.for(helms)('the commands of docs/ci.md with %s', (helm) => {
  it('pass one after the other', async () => {
    const shell = await checkout(helm);
    for (const script of [render, validate, policy]) {
      expect(script).not.toBe('');
      const { status, stdout, stderr } = await shell(script);
      expect(status, stdout + stderr).toBe(0);
    }
  });

  it('render what runs, and not the Pod of helm test', async () => {
    const shell = await checkout(helm);
    await shell(render);
    const { stdout } = await shell('grep -E "^kind: |storage-test" manifests.yaml');
    expect(stdout).toContain('kind: Deployment');
    expect(stdout).not.toMatch(/storage-test|kind: Pod$/m);
  });

  it('lint names and types, and leave the rest to the rendering', async () => {
    const shell = await checkout(helm);
    const [lint = ''] = render.split('\n');
    expect(lint).toMatch(/^helm lint /);
    await shell("sed -i 's/driver: postgres/driver: oracle/' values.yaml");
    const { status, stdout, stderr } = await shell(lint);
    expect(status).toBe(0);
    expect(stdout + stderr).toContain('optional.storage.driver is oracle');
    expect((await shell(render)).status).not.toBe(0);
    await shell("sed -i 's/enabled: true/enabled: sure/' values.yaml");
    expect((await shell(lint)).status).not.toBe(0);
  });

  it('refuse values that the chart refuses', async () => {
    const shell = await checkout(helm);
    await shell('sed -i \'s/name: agenttier-db/name: ""/\' values.yaml');
    const { status, stdout, stderr } = await shell(render);
    expect(status).not.toBe(0);
    expect(stdout + stderr).toContain('optional.storage.dsnSecret.name is empty');
  });

  it('refuse a manifest that Kubernetes would', async () => {
    const shell = await checkout(helm);
    await shell(render);
    await shell("sed -i 's/enableServiceLinks:/enableServiceLink:/' manifests.yaml");
    const { status, stdout, stderr } = await shell(validate);
    expect(status).not.toBe(0);
    expect(stdout + stderr).toContain('enableServiceLink');
  });

  it('notice that the history would go elsewhere', async () => {
    const shell = await checkout(helm);
    await shell("sed -i 's/driver: postgres/driver: sqlite/' values.yaml");
    expect((await shell(render)).status).toBe(0);
    expect((await shell(policy)).status).not.toBe(0);
  });
});
