import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { program } from '../../../scripts/tools/program.ts';
import { type Outcome, run } from '../../../scripts/tools/run.ts';
import type { KubernetesObject } from '../control-plane/client.ts';
import { chart, type Helm, helms } from '../support/chart.ts';
import { useControlPlane } from '../support/control-plane.ts';
import { clusterCommands, fencedBlocks, readDocument } from '../support/documents.ts';

const plane = useControlPlane();
const chartReadme = await readDocument('chart/README.md');
const readme = await readDocument('README.md');

// The control plane has no node, so that no Pod ever runs.
const needsRunningPod = [
  'helm test agenttier ',
  'kubectl wait --for=condition=Ready pod/',
  'kubectl exec ',
  'kubectl port-forward ',
];

// Nothing follows from these but what the next command needs.
const needsNoCheck = [
  'kubectl create secret generic agenttier-db ',
  'kubectl delete pod agenttier-backup ',
];

/** How a command begins, and what must be so when it has been run. */
type Check = readonly [begins: string, check: () => Promise<void>];

const namespace = 'agenttier';
const router = () => plane().client.find(namespace, 'Deployment', 'agenttier-router');
const claim = () =>
  plane().client.find(namespace, 'PersistentVolumeClaim', 'agenttier-router-storage');
const install = 'helm upgrade --install agenttier ./chart ';
const upgrade = 'helm upgrade agenttier ./chart ';

async function expectDriver(driver: string): Promise<void> {
  const { initContainers } = (await router()).spec.template.spec;
  expect(initContainers[0].env).toContainEqual({ name: 'STORAGE_DRIVER', value: driver });
}

async function expectMounted(name: string): Promise<void> {
  const { volumes } = (await router()).spec.template.spec;
  const claims = volumes.map((one: KubernetesObject) => one.persistentVolumeClaim?.claimName);
  expect(claims).toContain(name);
}

const checks: readonly Check[] = [
  [
    install,
    async () => {
      await expectDriver('sqlite');
      await expectMounted('agenttier-router-storage');
    },
  ],
  [install, () => expectDriver('postgres')],
  [install, () => expectDriver('mysql')],
  [install, () => expectMounted('my-claim')],
  // What an upgrade says nothing of stays.
  [upgrade, () => expectMounted('my-claim')],
  ['kubectl delete replicaset ', () => expectMounted('my-claim')],
  [upgrade, () => expectDriver('none')],
  [upgrade, () => expectMounted('my-claim')],
  [upgrade, async () => expect((await router()).spec.replicas).toBe(0)],
  [
    'kubectl wait --for=delete pod ',
    async () => expect(await plane().client.list(namespace, 'Pod')).toEqual([]),
  ],
  [
    'kubectl apply ',
    async () => {
      const pod = await plane().client.find(namespace, 'Pod', 'agenttier-backup');
      const [{ persistentVolumeClaim }] = pod.spec.volumes;
      expect(persistentVolumeClaim.claimName).toBe('agenttier-router-storage');
    },
  ],
  [upgrade, async () => expect((await router()).spec.replicas).toBe(1)],
  [
    'helm uninstall ',
    async () => {
      expect(await router()).toBeUndefined();
      expect((await claim()).metadata.deletionTimestamp).toBeUndefined();
    },
  ],
  ['kubectl delete pvc ', async () => expect(await claim()).toBeUndefined()],
  [
    'helm upgrade --install history ',
    async () => {
      const live = await plane().client.find(namespace, 'Deployment', 'history-router');
      expect(live.spec.template.spec.serviceAccountName).toBe('agenttier-controller');
    },
  ],
];

/** A directory with the chart in it, and a shell whose helm is one of the two. */
async function checkout(helm: Helm): Promise<(script: string) => Promise<Outcome>> {
  const { kubeconfig } = plane();
  const cwd = await mkdtemp(join(kubeconfig, '..', 'checkout-'));
  onTestFinished(() => rm(cwd, { recursive: true }));
  const bin = join(cwd, 'bin');
  await mkdir(bin);
  await symlink(await program(helm), join(bin, 'helm'));
  await symlink(await program('kubectl'), join(bin, 'kubectl'));
  await symlink(chart, join(cwd, 'chart'));
  await writeFile(join(cwd, 'dsn'), 'postgres://agenttier@db.example.com:5432/agenttier');
  for (const { language, text } of fencedBlocks(chartReadme)) {
    const file = /^# (\S+\.yaml)$/m.exec(text)?.[1];
    if (language === 'yaml' && file !== undefined) await writeFile(join(cwd, file), text);
  }
  const env = { PATH: `${bin}:${process.env.PATH}`, HOME: cwd, KUBECONFIG: kubeconfig };
  // A command that waits for what never comes is told apart from a test that is slow.
  const shell = (script: string) =>
    run('timeout', ['120', 'bash', '-e', '-c', script], { cwd, env });
  await claimThatExists();
  // The documents name one namespace, so each run leaves none behind for the next.
  onTestFinished(() => mustDelete(shell), 120_000);
  return shell;
}

/** What the documents mean by a claim that exists. */
async function claimThatExists(): Promise<void> {
  const { client } = plane();
  await client.createGlobal('Namespace', { metadata: { name: namespace } });
  const resources = { requests: { storage: '1Gi' } };
  await client.create(namespace, 'PersistentVolumeClaim', {
    metadata: { name: 'my-claim' },
    spec: { accessModes: ['ReadWriteOnce'], resources },
  });
}

async function mustDelete(shell: (script: string) => Promise<Outcome>): Promise<void> {
  const script = `kubectl delete namespace ${namespace} --timeout=100s`;
  const { status, stderr } = await shell(script);
  expect(status, stderr).toBe(0);
}

/** Says of every Pod what the kubelet would say of one that runs, so that rollouts come to their end. */
async function becomeReady(): Promise<void> {
  const { client } = plane();
  const conditions = [{ type: 'Ready', status: 'True' }];
  for (const { metadata, status } of await client.list(namespace, 'Pod')) {
    if (status.phase === 'Running') continue;
    const path = `/api/v1/namespaces/${namespace}/pods/${metadata.name}/status`;
    const change = { status: { phase: 'Running', conditions } };
    // A Pod that has gone meanwhile is nobody's concern.
    await client.send('PATCH', path, change, 'application/merge-patch+json').catch(() => {});
  }
}

/** Waits until the rollout has ended, as a reader does between two commands. */
async function settle(): Promise<void> {
  await vi.waitFor(
    async () => {
      const live = await router();
      if (live === undefined) return;
      await becomeReady();
      const {
        observedGeneration,
        replicas = 0,
        updatedReplicas = 0,
        availableReplicas = 0,
      } = live.status;
      expect(observedGeneration).toBe(live.metadata.generation);
      expect([replicas, updatedReplicas, availableReplicas]).toEqual(
        Array(3).fill(live.spec.replicas),
      );
    },
    { timeout: 60_000, interval: 100 },
  );
}

/**
 * Runs the commands in their order, each with the check that is next; one that is in no list fails.
 *
 * @returns how the commands of the checks begin that are left over
 */
async function runAll(shell: (script: string) => Promise<Outcome>, commands: readonly string[]) {
  const open = [...checks];
  for (const command of commands) {
    const isOneOf = (list: readonly string[]) => list.some((begins) => command.startsWith(begins));
    if (isOneOf(needsRunningPod)) continue;
    const { status, stdout, stderr } = await shell(command);
    expect(status, `${command}\n${stdout}${stderr}`).toBe(0);
    await settle();
    if (isOneOf(needsNoCheck)) continue;
    const [begins, check] = open.shift() ?? ['no other command', () => Promise.resolve()];
    expect(command.startsWith(begins), `${command}\nstands where ${begins} is checked`).toBe(true);
    await check();
  }
  return open.map(([begins]) => begins);
}

// Each runs some twenty programs; a busy machine needs its time.
describe.for(helms)('with %s as helm', { timeout: 600_000 }, (helm) => {
  it('runs the commands of chart/README.md one after the other', async () => {
    const shell = await checkout(helm);
    expect(await runAll(shell, clusterCommands(chartReadme, ['sh']))).toEqual([]);
  });

  it('runs the commands of README.md one after the other', async () => {
    const shell = await checkout(helm);
    expect(await runAll(shell, clusterCommands(readme, ['', 'sh']))).toHaveLength(
      checks.length - 2,
    );
    await expectDriver('postgres');
  });

  it('moves from AgentTier’s own chart by the steps of chart/README.md', async () => {
    const shell = await checkout(helm);
    const upstream = fileURLToPath(new URL('../fixtures/upstream', import.meta.url));
    // The claim's name follows the rule that the first step tells.
    const names: Record<string, string> = {
      RELEASE: 'agents',
      NAMESPACE: namespace,
      CHART: `'${upstream}'`,
      CLAIM: 'agents-agenttier-router-storage',
    };
    const steps = clusterCommands(chartReadme, ['text']).map((step) =>
      step.replaceAll(/\b[A-Z]{4,}\b/g, (name) => names[name] ?? name),
    );
    const flags = '--create-namespace --set optional.storage.enabled=true';
    const before = `helm install agents ${names.CHART} --namespace ${namespace} ${flags}`;
    const claimed = () =>
      plane().client.find(namespace, 'PersistentVolumeClaim', names.CLAIM ?? '');
    expect(await shell(before)).toMatchObject({ status: 0 });
    const { uid } = (await claimed()).metadata;

    expect(steps).toHaveLength(6);
    for (const [i, step] of steps.entries()) {
      const { status, stdout, stderr } = await shell(step);
      if (i === 4) {
        // The first of two ways of the last step, which is not for a claim of this name.
        expect(status).not.toBe(0);
        expect(stderr).toContain(`existingClaim=${names.CLAIM} to go on with it`);
      } else {
        expect(status, `${step}\n${stdout}${stderr}`).toBe(0);
      }
    }
    const live = await plane().client.find(namespace, 'Deployment', 'agents-router');
    expect(JSON.stringify(live.spec.template.spec.volumes)).toContain(names.CLAIM);
    const kept = await claimed();
    expect(kept.metadata.uid).toBe(uid);
    expect(kept.metadata.deletionTimestamp).toBeUndefined();
  });
});

it('leaves out no command but one that is there', () => {
  const commands = clusterCommands(chartReadme, ['sh']);
  const unused = [...needsRunningPod, ...needsNoCheck].filter(
    (begins) => !commands.some((command) => command.startsWith(begins)),
  );
  expect(unused).toEqual([]);
});
