import { expect, vi } from 'vitest';
import type { KubernetesObject } from '../control-plane/client.ts';
import type { Release } from './release.ts';

/** What an installation keeps its history in, and what that makes of its Deployment. */
export interface State {
  name: 'off' | 'sqlite' | 'postgres';
  /** Values for `--set`. */
  values: readonly string[];
  driver: string;
  replicas: number;
  strategy: 'Recreate' | 'RollingUpdate';
}

/** Storage switched off in so many words: an upgrade without flags would keep what was set. */
export const off: State = {
  name: 'off',
  values: ['optional.storage.enabled=false'],
  driver: 'none',
  replicas: 2,
  strategy: 'RollingUpdate',
};

/** The history in a file on a claim. */
export const sqlite: State = {
  name: 'sqlite',
  values: ['optional.storage.enabled=true'],
  driver: 'sqlite',
  replicas: 1,
  strategy: 'Recreate',
};

/** The history in a server. */
export const postgres: State = {
  name: 'postgres',
  values: [
    'optional.storage.enabled=true',
    'optional.storage.driver=postgres',
    'optional.storage.dsnSecret.name=agenttier-db',
  ],
  driver: 'postgres',
  replicas: 2,
  strategy: 'RollingUpdate',
};

/** Holds the live objects to a state, and waits until Pods of it were admitted. */
export async function expectState(release: Release, state: State): Promise<void> {
  const live = await release.deployment();
  expect(live.spec.replicas).toBe(state.replicas);
  expect(live.spec.strategy.type).toBe(state.strategy);
  expect(live.spec.strategy.rollingUpdate !== undefined).toBe(state.strategy === 'RollingUpdate');

  const pod = live.spec.template.spec;
  const sidecar = [...(pod.initContainers ?? []), ...pod.containers].find(hasDriver);
  expect(sidecar.env).toContainEqual({ name: 'STORAGE_DRIVER', value: state.driver });
  expect(claimNames(pod)).toEqual(
    state.name === 'sqlite' ? [`${release.name}-router-storage`] : [],
  );
  await expectAdmitted(release);
}

/** Waits until the newest ReplicaSet has a Pod, which Pod Security may refuse to it. */
export async function expectAdmitted(
  release: Release,
  router = `${release.name}-router`,
): Promise<void> {
  await vi.waitFor(
    async () => {
      const { metadata, status } = await release.deployment(router);
      const refused = (status.conditions ?? []).filter(
        ({ type, status: is }: KubernetesObject) => type === 'ReplicaFailure' && is === 'True',
      );
      expect(refused).toEqual([]);
      expect(status.observedGeneration).toBe(metadata.generation);
      expect(status.updatedReplicas).toBeGreaterThan(0);
    },
    { timeout: 60_000, interval: 100 },
  );
}

function hasDriver(container: KubernetesObject): boolean {
  return (container.env ?? []).some(({ name }: { name: string }) => name === 'STORAGE_DRIVER');
}

function claimNames(pod: KubernetesObject): string[] {
  return (pod.volumes ?? []).flatMap(({ persistentVolumeClaim }: KubernetesObject) =>
    persistentVolumeClaim === undefined ? [] : [persistentVolumeClaim.claimName],
  );
}
