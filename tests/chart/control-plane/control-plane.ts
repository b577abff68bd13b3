import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onPath } from '../../../scripts/tools/cache.ts';
import { program } from '../../../scripts/tools/program.ts';
import { KubernetesClient } from './client.ts';
import { freePorts, Processes } from './processes.ts';

/** A running Kubernetes API server with its controllers, and no node: Pods stay pending. */
export interface ControlPlane {
  client: KubernetesClient;
  /** The path of a kubeconfig of an administrator. */
  kubeconfig: string;
}

/** One that this process has started. */
export interface RunningControlPlane extends ControlPlane {
  /** Ends it and removes all its files. */
  stop(): Promise<void>;
}

/**
 * Starts etcd, kube-apiserver and kube-controller-manager on free ports, and waits until they are
 * ready.
 *
 * @throws with the end of the log of the part that ended, or saying what to install
 */
export async function startControlPlane(): Promise<RunningControlPlane> {
  const [etcd] = await onPath(['etcd']);
  if (etcd === undefined) {
    throw new Error('etcd is not on PATH: install it (apt-get install etcd-server)');
  }
  const programs = {
    etcd,
    apiserver: await program('kube-apiserver'),
    controllers: await program('kube-controller-manager'),
  };
  // A port that was free may be taken before its program binds it.
  for (let attempt = 1; ; attempt += 1) {
    const processes = await Processes.create('control-plane');
    try {
      return await start(processes, programs);
    } catch (error) {
      await processes.stop();
      if (attempt === 3) throw error;
    }
  }
}

interface Programs {
  etcd: string;
  apiserver: string;
  controllers: string;
}

async function start(processes: Processes, programs: Programs): Promise<RunningControlPlane> {
  const [etcdPort, peerPort, apiPort] = await freePorts(3);
  const token = randomBytes(16).toString('hex');
  const store = `http://127.0.0.1:${etcdPort}`;
  const server = `https://127.0.0.1:${apiPort}`;
  const kubeconfig = join(processes.directory, 'kubeconfig');
  await writeInputs(processes.directory, kubeconfig, server, token);

  const peers = `http://127.0.0.1:${peerPort}`;
  processes.start('etcd', programs.etcd, [
    '--data-dir=etcd',
    `--listen-client-urls=${store}`,
    `--advertise-client-urls=${store}`,
    `--listen-peer-urls=${peers}`,
    `--initial-advertise-peer-urls=${peers}`,
    `--initial-cluster=default=${peers}`,
    '--unsafe-no-fsync',
  ]);
  processes.start('kube-apiserver', programs.apiserver, [
    `--etcd-servers=${store}`,
    `--secure-port=${apiPort}`,
    '--bind-address=127.0.0.1',
    '--cert-dir=certs',
    '--token-auth-file=tokens.csv',
    '--authorization-mode=RBAC',
    '--service-account-issuer=https://kubernetes.default.svc',
    '--service-account-key-file=sa.pub',
    '--service-account-signing-key-file=sa.key',
    '--service-cluster-ip-range=10.96.0.0/16',
  ]);
  const client = new KubernetesClient(server, token);
  await until(processes, () => client.isReady());

  processes.start('kube-controller-manager', programs.controllers, [
    `--kubeconfig=${kubeconfig}`,
    '--leader-elect=false',
    '--secure-port=0',
    '--service-account-private-key-file=sa.key',
    '--root-ca-file=certs/apiserver.crt',
  ]);
  // Its first work in a namespace is the account that Pods there need.
  await until(processes, async () => {
    const accounts = await client.send('GET', '/api/v1/namespaces/default/serviceaccounts');
    return accounts.items.length > 0;
  });
  return {
    client,
    kubeconfig,
    async stop() {
      client.close();
      await processes.stop();
    },
  };
}

async function writeInputs(directory: string, kubeconfig: string, server: string, token: string) {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'admin',
    clusters: [{ name: 'local', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'admin', user: { token } }],
    contexts: [{ name: 'admin', context: { cluster: 'local', user: 'admin' } }],
  };
  await Promise.all([
    writeFile(join(directory, 'sa.key'), privateKey.export({ type: 'pkcs1', format: 'pem' })),
    writeFile(join(directory, 'sa.pub'), publicKey.export({ type: 'spki', format: 'pem' })),
    writeFile(join(directory, 'tokens.csv'), `${token},admin,admin,"system:masters"\n`),
    writeFile(kubeconfig, JSON.stringify(config)),
  ]);
}

async function until(processes: Processes, ready: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await ready())) {
    const failure = await processes.failure();
    if (failure !== undefined) throw new Error(failure);
    if (Date.now() > deadline) throw new Error('the control plane was not ready within a minute');
    await sleep(100);
  }
}
