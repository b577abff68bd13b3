/** A record that each POST below repeats under another event_id. */
export const RECORD = {
  actor: 'ana@example.com',
  action: 'create',
  resource: 'sandbox',
  sandbox_id: 'sbx-1',
};

/** POSTs audit events as JSON. */
export function postAudit(
  api: string,
  records: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${api}/v1/audit-events`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(records),
  });
}
