import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chart, helms } from '../chart/support/chart.ts';
import { accountsAtRest, expectAgreement } from './support/accounts.ts';
import { eventually } from './support/eventually.ts';
import { followLog } from './support/log-stream.ts';
import { createNamespace, type Namespace } from './support/namespace.ts';
import { type ReachablePostgres, startReachablePostgres } from './support/postgres.ts';
import { compare, journal, parseJournal, readiness, storedIds } from './support/records.ts';
import { load, postgres, SQLITE } from './support/router-load.ts';

const RELEASE = 'agenttier';

let database: ReachablePostgres;
beforeAll(async () => {
  database = await startReachablePostgres();
});
afterAll(() => database.server[Symbol.asyncDispose]());

async function putDsn(namespace: Namespace): Promise<string> {
  const name = await database.server.createDatabase();
  const stringData = { dsn: database.dsn(name) };
  await namespace.apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db' }, stringData });
  return name;
}

/** The Pod of the Router, as soon as it runs this driver and has recorded something. */
async function recordingPod(namespace: Namespace, driver: string): Promise<string> {
  await namespace.rolledOut();
  return eventually(async () => {
    const { name } = (await namespace.routerPod()).metadata;
    expect(await readiness(namespace, name)).toMatchObject({ driver, storage: 'up' });
    expect((await journal(namespace, name)).length).toBeGreaterThan(50);
    return name as string;
  });
}

/** Changes the release, and returns all that the Router sent until then, every record being settled. */
async function journalUntil(namespace: Namespace, pod: string, change: () => Promise<unknown>) {
  await using log = await followLog(namespace, pod, 'router');
  await change();
  await namespace.rolledOut();
  const entries = parseJournal(await log.ended());
  expect(entries.filter(({ outcome }) => outcome !== 'durable')).toEqual([]);
  return entries;
}

const complete = { missing: [], twice: [] };

describe.concurrent.each(helms)('%s', (helm) => {
  it('goes from SQLite to Postgres and back, by upgrade and by rollback, and each keeps its own', async () => {
    await using namespace = await createNamespace(helm, 'drivers');
    const name = await putDsn(namespace);
    const change = (values: readonly string[]) =>
      namespace.helm(
        ...['upgrade', RELEASE, chart, '--reset-then-reuse-values'],
        ...values.flatMap((value) => ['--set', value]),
      );

    await namespace.install(RELEASE, [...SQLITE, 'router.replicas=1'], ...load(30));
    const first = await recordingPod(namespace, 'sqlite');
    const inFile = await journalUntil(namespace, first, () => change(postgres('db')));

    const second = await recordingPod(namespace, 'postgres');
    expect(await namespace.find('pvc', `${RELEASE}-router-storage`)).toBeDefined();
    const onServer = await journalUntil(namespace, second, () => change(SQLITE));
    expect(compare(onServer, await database.storedIds(name))).toMatchObject(complete);
    expect(compare(inFile, await database.storedIds(name)).missing).toHaveLength(inFile.length);

    const third = await recordingPod(namespace, 'sqlite');
    expect(compare(inFile, await storedIds(namespace, third))).toMatchObject(complete);
    inFile.push(
      ...(await journalUntil(namespace, third, () => namespace.helm('rollback', RELEASE, '2'))),
    );

    const fourth = await recordingPod(namespace, 'postgres');
    onServer.push(
      ...(await journalUntil(namespace, fourth, () => namespace.helm('rollback', RELEASE, '1'))),
    );
    expect(compare(onServer, await database.storedIds(name))).toMatchObject(complete);

    const last = await recordingPod(namespace, 'sqlite');
    expect(compare(inFile, await storedIds(namespace, last))).toMatchObject(complete);
    expect(await namespace.helm('history', RELEASE)).not.toContain('failed');
  });
});

it.concurrent('three Routers share a Postgres, and each reads what all have recorded', async () => {
  await using namespace = await createNamespace('helm3', 'replicas');
  const name = await putDsn(namespace);
  await namespace.install(RELEASE, postgres('db', 3), ...load(30));
  await namespace.rolledOut();
  const pods = (await namespace.routerPods()).map(({ metadata }) => metadata.name as string);
  expect(pods).toHaveLength(3);
  await eventually(async () => {
    for (const pod of pods) {
      expect(await readiness(namespace, pod)).toMatchObject({ driver: 'postgres', storage: 'up' });
      expect((await journal(namespace, pod)).length).toBeGreaterThan(50);
    }
  });
  const journals = await Promise.all(pods.map((pod) => journal(namespace, pod)));
  const sent = journals.flat().filter(({ outcome }) => outcome === 'durable');
  expect(compare(sent, await database.storedIds(name))).toMatchObject(complete);
  for (const pod of pods) {
    expect(compare(sent, await storedIds(namespace, pod))).toMatchObject(complete);
  }
  for (const pod of pods) expectAgreement(await accountsAtRest(namespace, pod));
  expect(await namespace.helm('test', RELEASE, '--logs')).toMatch(
    /(.*driver postgres, storage up.*[\s\S]*){3}/,
  );
});
