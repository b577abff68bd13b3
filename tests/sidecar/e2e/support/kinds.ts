/** The least valid record of each kind, by its path, and the table that keeps it. */
export const KINDS = [
  {
    path: '/v1/audit-events',
    table: 'audit_events',
    kind: 'audit_event',
    longText: 'details',
    record: { actor: 'ana@example.com', action: 'create', resource: 'sandbox', sandbox_id: 's' },
  },
  {
    path: '/v1/sandbox-events',
    table: 'sandbox_events',
    kind: 'sandbox_event',
    longText: 'message',
    record: { sandbox_id: 's', phase: 'Running', message: 'läuft' },
  },
  {
    path: '/v1/cost-snapshots',
    table: 'cost_snapshots',
    kind: 'cost_snapshot',
    longText: undefined,
    record: { sandbox_id: 's', cpu_hours: 0.25, estimated_usd: 0.0125 },
  },
] as const;

export type KindCase = (typeof KINDS)[number];

/** So many records with event ids that begin with the prefix. */
export function records({ record }: KindCase, prefix: string, count: number) {
  return Array.from({ length: count }, (_, n) => ({ ...record, event_id: `${prefix}-${n}` }));
}
