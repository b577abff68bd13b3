import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { chart, type Helm, helms } from '../support/chart.ts';
import { useControlPlane } from '../support/control-plane.ts';
import { fencedBlocks, readDocument } from '../support/documents.ts';
import { Release } from '../support/release.ts';
import { expectState, off, postgres, sqlite } from '../support/state.ts';

const plane = useControlPlane();

/** A rule of the documented rights. */
interface Rule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
}

const documented = fencedBlocks(await readDocument('chart/README.md')).find(({ text }) =>
  text.startsWith('# agenttier-deployer.yaml'),
);
const [role = [], clusterRole = []] = parseAllDocuments(documented?.text ?? '').map(
  (each): Rule[] => each.toJS().rules,
);
const aboutRights = ({ apiGroups }: Rule) => apiGroups.includes('rbac.authorization.k8s.io');

/** A release in a namespace whose deployer has these rights in it, and these in the cluster. */
async function asDeployer(namespace: string, rules: Rule[], inCluster: Rule[]): Promise<Release> {
  const release = await Release.create(plane(), namespace);
  const group = 'rbac.authorization.k8s.io';
  const metadata = { name: namespace, namespace };
  const subjects = [{ kind: 'ServiceAccount', name: 'deployer', namespace }];
  const items = [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'deployer', namespace } },
    ...[
      ['', rules],
      ['Cluster', inCluster],
    ].flatMap(([prefix, granted]) => [
      { apiVersion: `${group}/v1`, kind: `${prefix}Role`, metadata, rules: granted },
      {
        apiVersion: `${group}/v1`,
        kind: `${prefix}RoleBinding`,
        metadata,
        roleRef: { apiGroup: group, kind: `${prefix}Role`, name: namespace },
        subjects,
      },
    ]),
  ];
  const { client, kubeconfig } = plane();
  const manifest = join(kubeconfig, '..', `${namespace}.json`);
  await writeFile(manifest, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  await release.kubectl('apply', '-f', manifest);

  const token = (await release.kubectl('create', 'token', 'deployer')).trim();
  const config = JSON.parse(await release.kubectl('config', 'view', '--raw', '-o', 'json'));
  config.users = [{ name: 'admin', user: { token } }];
  const theirs = join(kubeconfig, '..', `${namespace}.kubeconfig`);
  await writeFile(theirs, JSON.stringify(config));
  return release.as({ client, kubeconfig: theirs });
}

/** Runs `helm upgrade --install` with flags that wait for Pods, of which none ever gets ready. */
function waitingFor(release: Release, helm: Helm, flags: readonly string[]) {
  const args = ['upgrade', '--install', release.name, chart, '--set', off.values.join(',')];
  return release.tryHelm(helm, ...args, ...flags);
}

const everything = [
  ...sqlite.values,
  'router.podDisruptionBudget.enabled=true',
  'optional.storage.networkPolicy.enabled=true',
];
/** What SQLite cannot have. */
const scaled = [...postgres.values, 'router.autoscaling.enabled=true'];

describe.for(helms)('with %s', (helm: Helm) => {
  it('the documented rights install, upgrade, roll back and uninstall', async () => {
    const release = await asDeployer(`deployer-${helm}`, role, clusterRole);
    await release.upgrade(helm, everything);
    await expectState(release, sqlite);
    await release.upgrade(helm, postgres.values);
    await release.upgrade(helm, scaled);
    await release.upgrade(helm, off.values);
    await release.rollback(helm, 1);
    await expectState(release, sqlite);
    await release.helm(helm, 'uninstall', release.name);
    expect(await release.deployment()).toBeUndefined();
  });

  it('the documented rights are enough to wait for Pods, which never come up here', async () => {
    // Helm 3 says that it may not look, Helm 4 that it does not know.
    const blind = /forbidden|status: Unknown/;
    const release = await asDeployer(`waiting-${helm}`, role, clusterRole);
    const flags = ['--wait', '--timeout', '5s'];
    const { stdout, stderr } = await waitingFor(release, helm, flags);
    expect(stdout + stderr).toMatch(/deadline|not ready|timed out/i);
    expect(stdout + stderr).not.toMatch(blind);
    // And what goes back by itself goes back.
    const back = helm === 'helm3' ? '--atomic' : '--rollback-on-failure';
    const rolledBack = await waitingFor(release, helm, [back, '--timeout', '5s']);
    expect(rolledBack.status).not.toBe(0);
    expect(rolledBack.stdout + rolledBack.stderr).not.toMatch(blind);

    const rest = role.filter(({ resources }) => !resources.includes('replicasets'));
    const without = await asDeployer(`waiting-without-${helm}`, rest, clusterRole);
    const refused = await waitingFor(without, helm, flags);
    expect(refused.stdout + refused.stderr).toMatch(blind);
  });

  it('those of the namespace are enough beside an account that is there', async () => {
    const own = role.filter((rule) => !aboutRights(rule));
    const release = await asDeployer(`tenant-${helm}`, own, []);
    await expect(release.upgrade(helm, everything)).rejects.toThrow(/forbidden/);
    const account = ['router.serviceAccount.create=false', 'router.serviceAccount.name=deployer'];
    await release.upgrade(helm, [...everything, ...account, 'router.rbac.create=false']);
    await expectState(release, sqlite);
    await release.helm(helm, 'uninstall', release.name);
  });

  it('none of the rules can be missing', async () => {
    // What `helm test` reads, objects that the control plane has no kind of, and what --wait reads.
    const unused = ['pods/log', 'podmonitors', 'replicasets'];
    const needed = role.filter(({ resources }) => !unused.includes(resources[0] ?? ''));
    for (const [i, rule] of needed.entries()) {
      const rest = role.filter((each) => each !== rule);
      const release = await asDeployer(`without-${i}-${helm}`, rest, clusterRole);
      const values = rule.resources.includes('horizontalpodautoscalers') ? scaled : everything;
      await expect(release.upgrade(helm, values)).rejects.toThrow(/forbidden/);
    }
    const release = await asDeployer(`without-cluster-${helm}`, role, []);
    await expect(release.upgrade(helm, everything)).rejects.toThrow(/forbidden/);
  });

  it('the right to create namespaces is needed for --create-namespace alone', async () => {
    const release = await asDeployer(`within-${helm}`, role, clusterRole);
    const created = release.upgrade(helm, off.values, '--create-namespace');
    await expect(created).rejects.toThrow(
      /namespaces.* forbidden|cannot create resource "namespaces"/,
    );
    await release.upgrade(helm, off.values);
  });
});
