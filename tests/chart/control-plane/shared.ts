import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { KubernetesClient } from './client.ts';
import { type ControlPlane, type RunningControlPlane, startControlPlane } from './control-plane.ts';

/** Names the socket at which the run's control plane is asked for. */
const SOCKET = 'AGENTTIER_TESTS_CONTROL_PLANE';

type Answer = { readonly kubeconfig: string } | { readonly error: string };

/**
 * Offers one control plane to all test files of this run, each in a process of its own. The first that asks
 * has it started: three seconds of the processor's time that are not spent again for each file.
 *
 * @returns what ends it
 */
export async function offerControlPlane(): Promise<() => Promise<void>> {
  let running: Promise<RunningControlPlane> | undefined;
  const server = createServer(async (socket) => {
    socket.on('error', () => {});
    running ??= startControlPlane();
    const answer: Answer = await running.then(
      ({ kubeconfig }) => ({ kubeconfig }),
      (error: unknown) => ({ error: String(error) }),
    );
    socket.end(JSON.stringify(answer));
  });
  // An abstract socket: it is no file, and goes with the process.
  const name = `agenttier-control-plane-${process.pid}`;
  server.listen(`\0${name}`);
  await once(server, 'listening');
  process.env[SOCKET] = name;
  return async () => {
    server.close();
    await (await running?.catch(() => undefined))?.stop();
  };
}

/** The control plane of this run. @throws saying why it did not start */
export async function sharedControlPlane(): Promise<ControlPlane> {
  const answer: Answer = JSON.parse(await text(connect(`\0${process.env[SOCKET]}`)));
  if ('error' in answer) throw new Error(answer.error);
  const { kubeconfig } = answer;
  const { clusters, users } = JSON.parse(await readFile(kubeconfig, 'utf8'));
  const client = new KubernetesClient(clusters[0].cluster.server, users[0].user.token);
  return { client, kubeconfig };
}
