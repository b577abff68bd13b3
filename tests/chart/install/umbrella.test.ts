import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { chart, helms } from '../support/chart.ts';
import { useControlPlane } from '../support/control-plane.ts';
import { Release } from '../support/release.ts';
import { umbrella } from '../support/umbrella.ts';

const plane = useControlPlane();
const { version } = parse(await readFile(`${chart}/Chart.yaml`, 'utf8'));

it.concurrent.for(helms)('upgrades two copies in one release, with %s', async (helm) => {
  const parent = await umbrella(
    plane(),
    { chart, version, alias: 'agenttier' },
    { chart, version, alias: 'agenttier-2' },
  );
  const release = await Release.create(plane(), `twice-${helm}`, 'both');
  const upgrade = (first: boolean) =>
    release.helm(
      helm,
      ...['upgrade', '--install', release.name, parent, '--disable-openapi-validation'],
      ...['--set', `agenttier.optional.storage.enabled=${first}`],
      ...['--set', 'agenttier-2.optional.storage.enabled=true,agenttier-2.fullnameOverride=second'],
    );
  await upgrade(false);
  await upgrade(true);
  await upgrade(true);
  expect(await release.claim('both-router-storage')).toBeDefined();
  expect(await release.claim('second-router-storage')).toBeDefined();
});
