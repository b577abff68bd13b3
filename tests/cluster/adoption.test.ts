import { readFile } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { helms } from '../chart/support/chart.ts';
import { writeToClaim } from './support/claim.ts';
import { createNamespace } from './support/namespace.ts';
import { portForward } from './support/port-forward.ts';
import { API_PORT, compare, durable, list, storageUp, storedIds } from './support/records.ts';
import { recording, sqlite } from './support/values.ts';

const FILE = fileURLToPath(new URL('../sidecar/fixtures/upstream-0.8.1.db', import.meta.url));
const CHART = fileURLToPath(new URL('../chart/fixtures/upstream', import.meta.url));
const CLAIM = 'agenttier-router-storage';

/** Rows as AgentTier 0.8.1 wrote them, with their times in the form that sorts. */
function upstreamRows(kind: string): Record<string, unknown>[] {
  const database = new DatabaseSync(FILE, { readOnly: true });
  try {
    return database
      .prepare(`SELECT * FROM ${kind.replace('-', '_')} ORDER BY id`)
      .all()
      .map((row) => ({ ...row, id: String(row.id), ts: sortable(String(row.ts)), event_id: null }));
  } finally {
    database.close();
  }
}

/** `46Z` and `46.5Z` as `46.000000000Z` and `46.500000000Z`. */
function sortable(ts: string): string {
  const [seconds = '', fraction = ''] = ts.replace('Z', '').split('.');
  return `${seconds}.${fraction.padEnd(9, '0')}Z`;
}

describe.concurrent.each(helms)('what AgentTier’s own chart left, with %s', (helm) => {
  it('is taken over: the claim by its name, the file with all its rows', async () => {
    await using namespace = await createNamespace(helm, 'adopt');
    const upstream = (on: boolean) =>
      namespace.helm(
        ...['upgrade', '--install', 'agenttier', CHART],
        ...['--set', `optional.storage.enabled=${on}`],
      );
    await upstream(true);
    await writeToClaim(namespace, CLAIM, 'agenttier.db', await readFile(FILE));
    const before = await namespace.find('pvc', CLAIM);
    await namespace.kubectl('annotate', 'pvc', CLAIM, 'helm.sh/resource-policy=keep');
    await upstream(false);
    await namespace.helm('uninstall', 'agenttier', '--wait');

    await namespace.install('agenttier', [...sqlite, ...recording(20)]);
    await namespace.rolledOut();
    const after = await namespace.find('pvc', CLAIM);
    expect(after?.metadata.uid).toBe(before?.metadata.uid);
    const { name } = (await namespace.routerPod()).metadata;
    expect(await storageUp(namespace, name)).toMatchObject({ driver: 'sqlite', warnings: [] });

    {
      await using sidecar = await portForward(namespace, `pod/${name}`, API_PORT);
      for (const kind of ['audit-events', 'sandbox-events', 'cost-snapshots']) {
        const old = (await list(sidecar, kind)).filter(({ event_id }) => event_id === null);
        expect(old).toHaveLength(240);
        const byId = old.toSorted((a, b) => Number(a.id) - Number(b.id));
        expect(byId).toEqual(upstreamRows(kind));
      }
    }
    const entries = await durable(namespace, name, 10);
    expect(compare(entries, await storedIds(namespace, name)).lost).toEqual([]);
  });
});
