import { writeFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { mustRun } from '../../scripts/tools/run.ts';
import { fencedBlocks, readDocument } from '../chart/support/documents.ts';
import { temporaryDirectory } from '../sidecar/support/temporary-directory.ts';
import { eventually } from './support/eventually.ts';
import { createNamespace } from './support/namespace.ts';
import { metrics } from './support/records.ts';
import { load } from './support/router-load.ts';
import { sqlite } from './support/values.ts';

const document = await readDocument('docs/operations.md');

it('operations.md names metrics that a sidecar in the cluster has, and alerts that Prometheus takes', async () => {
  const named = new Set(document.match(/agenttier_storage_\w+/g));
  expect(named.size).toBeGreaterThan(10);
  await using namespace = await createNamespace('helm4', 'metrics');
  await namespace.install('agenttier', sqlite, ...load(20));
  await namespace.rolledOut();
  const { name } = (await namespace.routerPod()).metadata;
  // Some are there once a record has come.
  const series = await eventually(async () => {
    const found = await metrics(namespace, name);
    const had = [...found.keys()].map((key) =>
      key.replace(/\{.*/, '').replace(/_(sum|count|bucket)$/, ''),
    );
    expect([...named].filter((each) => !had.includes(each))).toEqual([]);
    return found;
  });
  // Each label that a rule selects by is one that is there.
  for (const [, reason = ''] of document.matchAll(/_total\{reason=~?"([^"]+)"\}/g)) {
    for (const each of reason.split('|')) {
      expect(
        [...series.keys()].some((key) => key.includes(`reason="${each}"`)),
        each,
      ).toBe(true);
    }
  }

  const rules = fencedBlocks(document).find(({ text }) => text.startsWith('# agenttier-alerts'));
  await using directory = await temporaryDirectory();
  const path = directory.path('alerts.yaml');
  await writeFile(path, rules?.text ?? '');
  expect(await mustRun('promtool', ['check', 'rules', path])).toContain('SUCCESS: 5 rules found');
});
