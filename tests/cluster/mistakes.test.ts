import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chart, helms } from '../chart/support/chart.ts';
import { eventually } from './support/eventually.ts';
import { createNamespace, type Namespace } from './support/namespace.ts';
import { type ReachablePostgres, startReachablePostgres } from './support/postgres.ts';
import { compare, durable, journal, readiness, storedIds } from './support/records.ts';
import { load, postgres, SQLITE } from './support/router-load.ts';

const RELEASE = 'agenttier';
const ABSENT = 'optional.storage.sidecar.image.repository=127.0.0.1:1/storage-sidecar';

let database: ReachablePostgres;
beforeAll(async () => {
  database = await startReachablePostgres();
});
afterAll(() => database.server[Symbol.asyncDispose]());

async function putSecret(
  namespace: Namespace,
  name: string,
  stringData: Record<string, string>,
): Promise<void> {
  await namespace.kubectl('delete', 'secret', name, '--ignore-not-found');
  await namespace.apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData });
}

/** Waits until the sidecar says why storage is down, with the Router ready all the same. */
async function expectDown(namespace: Namespace, why: RegExp): Promise<void> {
  const pod = await eventually(async () => {
    const { metadata } = await namespace.routerPod();
    const { storage, reason } = await readiness(namespace, metadata.name);
    expect(storage).toBe('down');
    expect(reason).toMatch(why);
    return metadata.name as string;
  }, 120);
  const log = await namespace.logs(pod, 'storage');
  expect(
    log.split('\n').some((line) => line.includes('"storage is down"') && why.test(line)),
    log,
  ).toBe(true);
  await expectUndisturbed(namespace);
}

/** Waits until storage is up, and tells how long that took. */
async function untilUp(namespace: Namespace, what: string): Promise<void> {
  const began = performance.now();
  const { name } = (await namespace.routerPod()).metadata;
  await eventually(async () => {
    expect(await readiness(namespace, name)).toMatchObject({ storage: 'up', reason: null });
  }, 180);
  console.log(`${what}: storage was up after ${Math.round(performance.now() - began)} ms`);
  await expectUndisturbed(namespace);
}

async function expectUndisturbed(namespace: Namespace): Promise<void> {
  const { status } = await namespace.routerPod();
  expect(status.conditions).toContainEqual(
    expect.objectContaining({ type: 'Ready', status: 'True' }),
  );
  const containers = [...status.initContainerStatuses, ...status.containerStatuses];
  expect(containers.map(({ restartCount }) => restartCount)).toEqual([0, 0]);
}

/** All that the Router has been told is sent is on the server, what waited for storage too. */
async function expectAllStored(namespace: Namespace): Promise<void> {
  const { name } = (await namespace.routerPod()).metadata;
  await eventually(async () => {
    const entries = (await journal(namespace, name)).filter(({ outcome }) => outcome !== 'queued');
    expect(entries.length).toBeGreaterThan(100);
    expect(compare(entries, await storedIds(namespace, name))).toMatchObject({
      missing: [],
      twice: [],
    });
  });
}

const NOT_FOUND = /the file that STORAGE_DSN_FILE names cannot be read \(ENOENT\)/;

describe.concurrent('a Secret that is wrong', () => {
  it('in its name is looked for until there is one, without a restart', async () => {
    await using namespace = await createNamespace('helm4', 'name');
    const dsn = database.dsn(await database.server.createDatabase());
    await putSecret(namespace, 'db', { dsn });
    await namespace.install(RELEASE, postgres('bd'), ...load(20));
    await namespace.rolledOut();
    await expectDown(namespace, NOT_FOUND);
    expect(await namespace.kubectl('describe', 'pods')).toMatch(
      /STORAGE_DSN: +<set to the key 'dsn' in secret 'bd'> +Optional: true/,
    );

    await putSecret(namespace, 'bd', { dsn });
    await untilUp(namespace, 'a Secret of the name');
    await expectAllStored(namespace);
  });

  it('in its key is looked into until it has the key, without a restart', async () => {
    await using namespace = await createNamespace('helm3', 'key');
    const dsn = database.dsn(await database.server.createDatabase());
    await putSecret(namespace, 'db', { url: dsn });
    await namespace.install(RELEASE, postgres('db'), ...load(20));
    await namespace.rolledOut();
    await expectDown(namespace, NOT_FOUND);
    expect(await namespace.kubectl('describe', 'pods')).toMatch(
      /STORAGE_DSN: +<set to the key 'dsn' in secret 'db'> +Optional: true/,
    );

    await namespace.kubectl('patch', 'secret', 'db', '-p', JSON.stringify({ stringData: { dsn } }));
    await untilUp(namespace, 'the key of the Secret');
    await expectAllStored(namespace);
  });

  it('in its password is read again until it is right, and when it is rotated', async () => {
    await using namespace = await createNamespace('helm4', 'password');
    await database.server.createRole('agent');
    const name = await database.server.createDatabase('agent');
    const dsn = (password: string) => database.dsn(name, { user: 'agent', password });
    await putSecret(namespace, 'db', { dsn: dsn('wrong') });
    await namespace.install(RELEASE, postgres('db'), ...load(20));
    await namespace.rolledOut();
    await expectDown(namespace, /wrong user or password .*correct the Secret/);

    await putSecret(namespace, 'db', { dsn: dsn('correct horse') });
    await untilUp(namespace, 'the right password');

    await database.server.query(`ALTER ROLE agent PASSWORD 'battery staple'`);
    // Connections that are open go on with the old one.
    await database.server.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'agent'`,
    );
    await expectDown(namespace, /wrong user or password/);
    await putSecret(namespace, 'db', { dsn: dsn('battery staple') });
    await untilUp(namespace, 'a rotated password');
    await expectAllStored(namespace);
  });
});

describe.concurrent.each(helms)('%s', (helm) => {
  it('brings the old release back where the sidecar’s image cannot be pulled', async () => {
    await using namespace = await createNamespace(helm, 'image');
    await namespace.install(RELEASE, SQLITE, ...load(20));
    await namespace.rolledOut();
    const before = await durable(namespace, (await namespace.routerPod()).metadata.name, 10);

    const flag = helm === 'helm3' ? '--atomic' : '--rollback-on-failure';
    const began = performance.now();
    const upgraded = await namespace.tryHelm(
      ...['upgrade', RELEASE, chart, '--reset-then-reuse-values', '--set', ABSENT, flag],
      ...['--timeout', '45s'],
    );
    console.log(
      `${helm} ${flag} took ${Math.round(performance.now() - began)} ms: ${upgraded.stderr.trim().split('\n').at(-1)}`,
    );
    expect(upgraded.status).not.toBe(0);
    await namespace.rolledOut();
    const pod = (await namespace.routerPod()).metadata.name;
    // It may still be opening its file.
    await eventually(async () => {
      const stored = await storedIds(namespace, pod);
      expect(compare(before, stored)).toMatchObject({ missing: [], twice: [] });
    });
    expect(await namespace.helm('status', RELEASE)).toMatch(/STATUS: deployed/);
    expect(await namespace.helm('history', RELEASE)).toMatch(/[Rr]ollback/);

    // Without the flag the operator is told by Kubernetes, and by Helm's wait.
    await namespace.helm('upgrade', RELEASE, chart, '--reset-then-reuse-values', '--set', ABSENT);
    await eventually(async () => {
      expect(await namespace.kubectl('describe', 'pods')).toMatch(
        /Failed to pull image "127\.0\.0\.1:1\/storage-sidecar/,
      );
    });
    await namespace.helm('rollback', RELEASE);
    await namespace.rolledOut();
  });
});

it.concurrent('tells of a storage class that does not exist, and starts with one that does', async () => {
  await using namespace = await createNamespace('helm3', 'class');
  const wrong = 'optional.storage.sqlite.persistence.storageClassName=nosuch';
  await namespace.install(RELEASE, [...SQLITE, wrong], ...load(20));
  await eventually(async () => {
    expect(await namespace.kubectl('describe', 'pvc')).toContain(
      'storageclass.storage.k8s.io "nosuch" not found',
    );
    expect(await namespace.kubectl('describe', 'pods')).toContain(
      'unbound immediate PersistentVolumeClaims',
    );
  });
  const again = await namespace.tryHelm(
    ...['upgrade', RELEASE, chart, '--reset-then-reuse-values'],
    ...['--set', 'optional.storage.sqlite.persistence.storageClassName=standard'],
  );
  expect(again.status).not.toBe(0);
  expect(again.stderr).toMatch(/kubectl delete pvc agenttier-router-storage -n class-/);
  await namespace.kubectl('delete', 'pvc', 'agenttier-router-storage', '--timeout=60s');
  await namespace.helm(
    ...['upgrade', RELEASE, chart, '--reset-then-reuse-values'],
    ...['--set', 'optional.storage.sqlite.persistence.storageClassName='],
  );
  await namespace.rolledOut();
});
