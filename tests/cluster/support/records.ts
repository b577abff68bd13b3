import { eventually } from './eventually.ts';
import type { Namespace } from './namespace.ts';
import { type Forward, portForward } from './port-forward.ts';

const KINDS = ['audit-events', 'sandbox-events', 'cost-snapshots'] as const;
/** Ports of the chart's defaults. */
export const API_PORT = 8085;
export const OPS_PORT = 8086;
export const ROUTER_PORT = 8080;

/** A record that the Router sent: the last thing that is known of it. */
export interface JournalEntry {
  event_id: string;
  kind: string;
  outcome: string;
  at: string;
}

/** What the stand-in Router tells of itself. */
export interface RouterStats {
  client: Record<string, number>;
  latency: { count: number; p50_ms: number; p99_ms: number; max_ms: number };
  load: { done: number; failed: number };
}

/** What /readyz of the sidecar tells. */
export interface Readiness {
  storage: 'up' | 'down' | 'noop';
  driver: string;
  reason: string | null;
  last_write_age_seconds: number | null;
  warnings: string[];
}

/** Runs a look at a port of a Pod. */
export async function through<T>(
  namespace: Namespace,
  target: string,
  port: number,
  look: (forward: Forward) => Promise<T>,
): Promise<T> {
  await using forward = await portForward(namespace, target, port);
  return await look(forward);
}

/** Every record that a Router's Pod has sent so far. */
export async function journal(namespace: Namespace, pod: string): Promise<JournalEntry[]> {
  return parseJournal(await namespace.ask(pod, ROUTER_PORT, '/journal'));
}

/** Entries of a journal; of a record that stands there more than once the last one counts. */
export function parseJournal(text: string): JournalEntry[] {
  const lines = text.split('\n').filter((line) => line.startsWith('{"event_id"'));
  // A Router that was killed may have been in the middle of its last one.
  if (lines.at(-1)?.endsWith('}') === false) lines.pop();
  const entries = new Map<string, JournalEntry>();
  for (const line of lines) {
    const entry = JSON.parse(line) as JournalEntry;
    entries.set(entry.event_id, entry);
  }
  return [...entries.values()];
}

/** What a Router's Pod tells of its client, its latencies and its load. */
export async function routerStats(namespace: Namespace, pod: string): Promise<RouterStats> {
  return JSON.parse(await namespace.ask(pod, ROUTER_PORT, '/stats'));
}

/** What the sidecar of a Pod says of its storage. */
export async function readiness(namespace: Namespace, pod: string): Promise<Readiness> {
  return JSON.parse(await namespace.ask(pod, OPS_PORT, '/readyz'));
}

/**
 * Waits until the storage of a Pod is up, which its readiness does not wait for.
 *
 * @throws saying what it is instead
 */
export function storageUp(namespace: Namespace, pod: string): Promise<Readiness> {
  return eventually(async () => {
    const now = await readiness(namespace, pod);
    if (now.storage !== 'up') throw new Error(`storage is ${now.storage}: ${now.reason}`);
    return now;
  });
}

/** The records of a Router's Pod that were acknowledged as durable, once there are so many. */
export function durable(
  namespace: Namespace,
  pod: string,
  atLeast: number,
): Promise<JournalEntry[]> {
  return eventually(async () => {
    const entries = (await journal(namespace, pod)).filter(({ outcome }) => outcome === 'durable');
    if (entries.length < atLeast) throw new Error(`only ${entries.length} records are durable`);
    return entries;
  });
}

/** The sidecar's metrics by name and labels, as they stand in the text. */
export async function metrics(namespace: Namespace, pod: string): Promise<Map<string, number>> {
  return parseMetrics(await namespace.ask(pod, OPS_PORT, '/metrics'));
}

/** Series by name and labels. */
export function parseMetrics(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => /^[a-z]/.test(line));
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ');
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }),
  );
}

/** A record as the sidecar lists it. */
export type StoredRecord = Record<string, string | number | null>;

/**
 * All records of a list, page by page, oldest first.
 *
 * @param query a kind such as `audit-events`, with filters or without
 */
export async function list(sidecar: Forward, query: string): Promise<StoredRecord[]> {
  const items: StoredRecord[] = [];
  const [kind, filters = ''] = query.split('?');
  for (let cursor: string | null = ''; cursor !== null; ) {
    const more: string = cursor === '' ? '' : `&cursor=${cursor}`;
    const page: { items: StoredRecord[]; next_cursor: string | null } = await sidecar.json(
      `/v1/${kind}?order=asc&limit=1000&${filters}${more}`,
    );
    items.push(...page.items);
    cursor = page.next_cursor;
  }
  return items;
}

/**
 * The event ids of all records of all kinds that the sidecar of a Pod has, each as often as it is there. It
 * waits for a sidecar that does not listen yet, or is opening its storage: a Pod is ready before.
 */
export function storedIds(namespace: Namespace, pod: string): Promise<string[]> {
  return eventually(() =>
    through(namespace, `pod/${pod}`, API_PORT, async (sidecar) => {
      const ids: string[] = [];
      for (const kind of KINDS) {
        for (const item of await list(sidecar, kind)) ids.push(String(item.event_id));
      }
      return ids;
    }),
  );
}

/** What a journal says and what is stored, held against each other. */
export interface Comparison {
  /** Records that were acknowledged as durable, and are not there. */
  lost: string[];
  /** Records that are there twice. */
  twice: string[];
  /** Records that are not there, durable or not. */
  missing: string[];
  durable: number;
  sent: number;
}

/** Holds what was sent against what is stored. */
export function compare(entries: readonly JournalEntry[], stored: readonly string[]): Comparison {
  const ids = new Set(stored);
  const seen = new Set<string>();
  const twice = stored.filter((id) => seen.size === seen.add(id).size);
  const missing = entries.filter(({ event_id }) => !ids.has(event_id));
  return {
    lost: missing.filter(({ outcome }) => outcome === 'durable').map(({ event_id }) => event_id),
    twice,
    missing: missing.map(({ event_id }) => event_id),
    durable: entries.filter(({ outcome }) => outcome === 'durable').length,
    sent: entries.length,
  };
}
