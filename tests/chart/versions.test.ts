import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { program } from '../../scripts/tools/program.ts';
import { mustRun } from '../../scripts/tools/run.ts';
import { chart } from './support/chart.ts';

const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8');
const about = parse(await read('chart/Chart.yaml'));
const { version } = JSON.parse(await read('package.json'));

interface Container {
  image: string;
}

let images: string[];

beforeAll(async () => {
  const args = ['template', 'agenttier', chart, '--kube-version', '1.33.0'];
  const objects = parseAllDocuments(await mustRun(await program('helm3'), args));
  const router = objects.map((each) => each.toJS()).find((each) => each?.kind === 'Deployment');
  const { initContainers, containers } = router.spec.template.spec;
  images = [...initContainers, ...containers].map(({ image }: Container) => image);
}, 1_800_000);

it('has one version: of the package, of the chart, and of the image that the chart runs', async () => {
  expect(about.version).toBe(version);
  expect(JSON.parse(await read('package-lock.json')).version).toBe(version);
  expect(images).toContain(`ghcr.io/agenttier/storage-sidecar:${version}`);
});

it('builds the image under the name that the chart asks for', async () => {
  const script = fileURLToPath(new URL('../../scripts/image-name.ts', import.meta.url));
  expect(images).toContain((await mustRun(process.execPath, [script])).trim());
});

it('runs the Router of its appVersion', () => {
  expect(images).toContain(`ghcr.io/agenttier/router:v${about.appVersion}`);
});

it('tells Artifact Hub the images that it runs', () => {
  const listed: Container[] = parse(about.annotations['artifacthub.io/images']);
  expect(listed.map(({ image }) => image).sort()).toEqual([...images].sort());
});

it('tells Artifact Hub what it is, by annotations that are of the right form', () => {
  const { annotations } = about;
  expect(annotations['artifacthub.io/license']).toBe('Apache-2.0');
  expect(annotations['artifacthub.io/category']).toMatch(
    /^(ai-machine-learning|database|integration-delivery|monitoring-logging|networking|security|storage|streaming-messaging|skip-prediction)$/,
  );
  expect(['true', 'false']).toContain(annotations['artifacthub.io/prerelease']);
  expect(['true', 'false']).toContain(annotations['artifacthub.io/operator']);
  for (const link of parse(annotations['artifacthub.io/links'])) {
    expect(link).toEqual({ name: expect.any(String), url: expect.stringMatching(/^https:/) });
  }
  for (const change of parse(annotations['artifacthub.io/changes'])) {
    expect(['added', 'changed', 'deprecated', 'removed', 'fixed', 'security']).toContain(
      change.kind,
    );
    expect(change.description).not.toBe('');
  }
});

it('says in the changelog what there is in this version, or will be', async () => {
  const changelog = await read('CHANGELOG.md');
  expect(changelog).toMatch(
    new RegExp(`^## (Unreleased|\\[?${version.replaceAll('.', '\\.')}\\b)`, 'm'),
  );
});
