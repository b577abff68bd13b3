import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { chart, helms } from '../support/chart.ts';
import { useControlPlane } from '../support/control-plane.ts';
import { Release } from '../support/release.ts';
import { expectAdmitted } from '../support/state.ts';
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
      '--render-subchart-notes',
      ...['--set', `agenttier.optional.storage.enabled=${first}`],
      ...['--set', 'agenttier-2.optional.storage.enabled=true,agenttier-2.fullnameOverride=second'],
    );
  await upgrade(false);
  await upgrade(true);
  const notes = await upgrade(true);
  // Each tells where its own values stand.
  for (const prefix of ['agenttier', 'agenttier-2']) {
    expect(notes).toContain(`--set ${prefix}.optional.storage.enabled=false`);
  }
  expect(notes).not.toContain('--set optional');
  expect(await release.claim('both-router-storage')).toBeDefined();
  expect(await release.claim('second-router-storage')).toBeDefined();

  // A stopped Router starts by the value that its notes name, from below the alias too.
  for (const [value, number] of Object.entries({ 0: 0, null: 1 })) {
    await release.helm(
      helm,
      ...['upgrade', release.name, parent, '--disable-openapi-validation'],
      ...['--reset-then-reuse-values', '--set', `agenttier.router.replicas=${value}`],
    );
    expect((await release.deployment()).spec.replicas).toBe(number);
  }
});

it.concurrent.for(helms)('upgrades beside the whole of AgentTier, with %s', async (helm) => {
  const upstream = new URL('../fixtures/upstream', import.meta.url).pathname;
  const parent = await umbrella(
    plane(),
    { chart: upstream, version: '0.8.1', alias: 'agenttier' },
    { chart, version, alias: 'history' },
  );
  const release = await Release.create(plane(), `whole-${helm}`);
  const upgrade = (...values: string[]) => {
    const args = ['--set', ['history.fullnameOverride=history', ...values].join(',')];
    const flags = ['--disable-openapi-validation', ...args];
    return release.helm(helm, 'upgrade', '--install', release.name, parent, ...flags);
  };
  await upgrade();
  const controller = await release.deployment('agenttier-controller');
  await upgrade('history.optional.storage.enabled=true');
  expect(await release.deployment('agenttier-controller')).toMatchObject({
    metadata: { uid: controller.metadata.uid },
  });
  await expectAdmitted(release, 'history-router');
  // What is wrong is told with where it stands.
  await expect(
    upgrade('history.optional.storage.driver=x,history.optional.storage.enabled=true'),
  ).rejects.toThrow(/The values below history cannot be installed/);
});
