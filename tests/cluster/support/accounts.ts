import { expect } from 'vitest';
import { eventually } from './eventually.ts';
import type { Namespace } from './namespace.ts';
import {
  type JournalEntry,
  journal,
  metrics,
  ROUTER_PORT,
  routerStats,
  storedIds,
  through,
} from './records.ts';

/** What the Router's client counts of its records, by the names of its Stats. */
export type ClientAccount = Readonly<Record<ClientTerm, number>>;
type ClientTerm =
  | 'Recorded'
  | 'Stored'
  | 'Duplicate'
  | 'Unconfirmed'
  | 'Rejected'
  | 'Dropped'
  | 'Queued'
  | 'FailedAttempts';

/** What the sidecar counts of the records that it received, over all kinds and reasons. */
export type SidecarAccount = Readonly<Record<SidecarTerm, number>>;
const TERMS = {
  received: 'records_received_total',
  stored: 'records_stored_total',
  duplicate: 'records_duplicate_total',
  rejected: 'records_rejected_total',
  dropped: 'records_dropped_total',
  queued: 'queue_records',
} as const;
type SidecarTerm = keyof typeof TERMS;

/** The account in a sidecar's metrics. */
export function sidecarAccount(series: ReadonlyMap<string, number>): SidecarAccount {
  const sum = (name: string) =>
    [...series]
      .filter(([key]) => key.startsWith(`agenttier_storage_${name}{`))
      .reduce((total, [, value]) => total + value, 0);
  return Object.fromEntries(
    Object.entries(TERMS).map(([term, name]) => [term, sum(name)]),
  ) as SidecarAccount;
}

/** The last account in the log of a Router that has ended in good order. @throws where it has not */
export function lastAccount(log: string): ClientAccount {
  const line = log.split('\n').find((each) => each.includes('"msg":"stopped"'));
  if (line === undefined) throw new Error('the Router has not told its last account');
  const { account } = JSON.parse(line) as { account: string };
  const terms = [...account.matchAll(/(\w+):(\d+)/g)].map(([, term, count]) => [
    term,
    Number(count),
  ]);
  return Object.fromEntries(terms) as ClientAccount;
}

/** The journal, the client, the sidecar and the database of a Pod. */
export interface PodAccounts {
  entries: readonly JournalEntry[];
  client: ClientAccount;
  sidecar: SidecarAccount;
  stored: readonly string[];
}

/** What a Pod tells at a moment when nothing is under way: its load stops for that long. */
export async function accountsAtRest(namespace: Namespace, pod: string): Promise<PodAccounts> {
  const quiet = (method: 'PUT' | 'DELETE') =>
    through(namespace, `pod/${pod}`, ROUTER_PORT, (router) =>
      fetch(`${router.url}/quiet`, { method }),
    );
  await quiet('PUT');
  try {
    return await eventually(async () => {
      const before = await routerStats(namespace, pod);
      const sidecar = sidecarAccount(await metrics(namespace, pod));
      const entries = await journal(namespace, pod);
      const stored = await storedIds(namespace, pod);
      const { client } = await routerStats(namespace, pod);
      expect(client).toEqual(before.client);
      expect([client.Queued, sidecar.queued]).toEqual([0, 0]);
      return { entries, client: client as ClientAccount, sidecar, stored };
    });
  } finally {
    await quiet('DELETE');
  }
}

/** Expects a journal and the client's account to tell the same of each outcome, and the account to add up. */
export function expectSameOutcomes(entries: readonly JournalEntry[], client: ClientAccount): void {
  const { Recorded, Stored, Duplicate, Unconfirmed, Rejected, Dropped, Queued } = client;
  expect(Recorded).toBe(Stored + Duplicate + Unconfirmed + Rejected + Dropped + Queued);
  const count = (name: string) => entries.filter(({ outcome }) => outcome === name).length;
  expect({
    recorded: entries.length,
    durable: count('durable'),
    unconfirmed: count('unconfirmed'),
    rejected: count('rejected'),
    dropped: count('dropped'),
    queued: count('queued'),
  }).toEqual({
    recorded: Recorded,
    durable: Stored + Duplicate,
    unconfirmed: Unconfirmed,
    rejected: Rejected,
    dropped: Dropped,
    queued: Queued,
  });
}

/** Expects each record that a sidecar received to be in one term of its account. */
export function expectBalance(sidecar: SidecarAccount): void {
  const { received, stored, duplicate, rejected, dropped, queued } = sidecar;
  expect(received).toBe(stored + duplicate + rejected + dropped + queued);
  expect(received).toBeGreaterThan(0);
}

/**
 * Expects journal, client, sidecar and database of one Pod to tell the same, neither process having been
 * killed: what the client was told is what the sidecar counts and the database has.
 */
export function expectAgreement({ entries, client, sidecar, stored }: PodAccounts): void {
  expectSameOutcomes(entries, client);
  expectBalance(sidecar);
  const ids = new Set(entries.map(({ event_id }) => event_id));
  expect(stored.filter((id) => ids.has(id))).toHaveLength(client.Recorded);
  expect([client.Rejected, client.Dropped]).toEqual([0, 0]);
  // An answer that did not arrive is one that the sidecar knows better about.
  expect(sidecar.duplicate).toBeGreaterThanOrEqual(client.Duplicate);
  expect(sidecar).toMatchObject({ stored: client.Recorded, rejected: 0, dropped: 0, queued: 0 });
}
