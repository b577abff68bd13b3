import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { NODE_FLAGS } from '../../../scripts/node-flags.ts';
import { postAudit, RECORD } from '../support/post.ts';
import { requireProgram } from '../support/require-program.ts';
import { startSidecar } from '../support/sidecar-process.ts';
import { until } from '../support/sqlite-store.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const KINDS = ['audit_event', 'sandbox_event', 'cost_snapshot'];
const TERMS = ['received', 'stored', 'duplicate', 'rejected', 'dropped'];

/** The sum of a family's series, of one kind. */
function sum(metrics: Map<string, number>, family: string, kind: string): number {
  let total = 0;
  for (const [series, value] of metrics) {
    if (series.startsWith(`${family}{`) && series.includes(`kind="${kind}"`)) total += value;
  }
  return total;
}

function expectBalance(metrics: Map<string, number>): void {
  for (const kind of KINDS) {
    const [received, ...ends] = TERMS.map((term) =>
      sum(metrics, `agenttier_storage_records_${term}_total`, kind),
    );
    const queued = sum(metrics, 'agenttier_storage_queue_records', kind);
    expect(ends.reduce((total, end) => total + end, queued)).toBe(received);
  }
}

/** The status of a GET with exactly this Host header, or none. */
function status(url: string, host: string | undefined): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const headers = host === undefined ? {} : { Host: host };
    request(url, { headers, setHost: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode));
    })
      .on('error', reject)
      .end();
  });
}

describe.concurrent('the listener for health and metrics', () => {
  it('answers whatever Host is asked for: the kubelet and Prometheus use addresses', async () => {
    await using sidecar = await startSidecar();
    for (const host of [
      '10.1.2.3:8086',
      'agenttier-router-ops:8086',
      'localhost',
      '127.0.0.1:',
      '[FD00:0::1]:8086',
      '[fe80::1%25eth0]:8086',
    ]) {
      expect(await status(`${sidecar.ops}/healthz`, host)).toBe(200);
    }
  });

  it('serves nothing but health, readiness and metrics, by GET and HEAD', async () => {
    await using sidecar = await startSidecar();
    for (const path of ['/healthz', '/readyz', '/metrics']) {
      expect((await fetch(sidecar.ops + path)).status).toBe(200);
      const head = await fetch(sidecar.ops + path, { method: 'HEAD' });
      expect(head.status).toBe(200);
      expect(await head.text()).toBe('');
      const post = await fetch(sidecar.ops + path, { method: 'POST' });
      expect(post.status).toBe(405);
      expect(post.headers.get('allow')).toBe('GET, HEAD');
    }
    for (const path of ['/', '/v1/audit-events', '/openapi.json', '/debug']) {
      expect((await fetch(sidecar.ops + path)).status).toBe(404);
    }
  });

  it('makes no answer for requests that pile up on a connection', async () => {
    await using sidecar = await startSidecar();
    const { hostname, port } = new URL(sidecar.ops);
    const socket = connect(Number(port), hostname);
    socket.resume().write('GET /metrics HTTP/1.1\r\n\r\n'.repeat(101));
    await once(socket, 'close');
    expect(await status(`${sidecar.ops}/metrics`, 'localhost')).toBe(200);
  });

  it('tells metrics while every thread of the pool hangs in a call to the disk', async () => {
    await using directory = await temporaryDirectory();
    const fifo = directory.path('fifo');
    execFileSync('mkfifo', [fifo]);
    // To open a FIFO waits for somebody at its other end, as a call to a dead volume waits.
    const hang = `import fs from 'node:fs';
      process.once('SIGUSR2', () => {
        for (let n = 0; n < 8; n++) fs.open(${JSON.stringify(fifo)}, () => {});
        fs.stat('/', () => console.log('free'));
        console.log('hangs');
      });`;
    const preload = `data:text/javascript,${encodeURIComponent(hang)}`;
    const nodeFlags = [...NODE_FLAGS, '--import', preload];
    await using sidecar = await startSidecar({ STORAGE_DRIVER: 'none' }, { nodeFlags });
    sidecar.child.kill('SIGUSR2');
    await until(() => sidecar.stray !== '');
    const response = await fetch(`${sidecar.ops}/metrics`, { signal: AbortSignal.timeout(5_000) });
    expect(await response.text()).toMatch(/^process_open_fds \d+$/m);
    expect(sidecar.stray).toBe('hangs\n');
  });

  it('counts the connections that were one too many', async () => {
    await using sidecar = await startSidecar();
    const { hostname, port } = new URL(sidecar.api);
    const sockets = Array.from({ length: 1_030 }, () => connect(Number(port), hostname));
    for (const socket of sockets) socket.on('error', () => {});
    const refused = async () =>
      (await sidecar.metrics()).get('agenttier_storage_connections_refused_total{listener="api"}');
    await vi.waitFor(async () => expect(await refused()).toBe(6), { timeout: 10_000 });
    for (const socket of sockets) socket.destroy();
  });

  it('tells exactly the agreed members in /readyz, with 200 while storage is down', async () => {
    await using directory = await temporaryDirectory();
    await using up = await startSidecar({ STORAGE_SQLITE_PATH: directory.path('a.db') });
    const readiness = await up.storage('up');
    expect(Object.keys(readiness)).toEqual([
      'storage',
      'driver',
      'reason',
      'last_write_age_seconds',
      'warnings',
    ]);
    expect(readiness).toMatchObject({ driver: 'sqlite', reason: null, warnings: [] });
    expect(readiness.last_write_age_seconds).toBeGreaterThanOrEqual(0);

    await using down = await startSidecar({ STORAGE_DRIVER: 'mysql', STORAGE_DSN: 'u:p@/' });
    const response = await fetch(`${down.ops}/readyz`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.json()).toEqual({
      storage: 'down',
      driver: 'mysql',
      reason: expect.stringContaining('names no database'),
      last_write_age_seconds: null,
      warnings: [],
    });
  });

  it('has every series of the account from the start, at zero', async () => {
    await using sidecar = await startSidecar();
    const metrics = await sidecar.metrics();
    const reasons: Record<string, string[]> = {
      rejected: ['invalid', 'no_room', 'exceeds_queue', 'closing'],
      dropped: ['refused', 'closed', 'noop'],
    };
    for (const term of TERMS) {
      for (const kind of KINDS) {
        const labels = (reasons[term] ?? []).map((reason) => `kind="${kind}",reason="${reason}"`);
        for (const label of labels.length === 0 ? [`kind="${kind}"`] : labels) {
          expect(metrics.get(`agenttier_storage_records_${term}_total{${label}}`)).toBe(0);
        }
      }
    }
    for (const name of ['transient', 'unexpected', 'data']) {
      expect(metrics.get(`agenttier_storage_failures_total{class="${name}"}`)).toBe(0);
    }
    expect(metrics.get('agenttier_storage_up{driver="none"}')).toBe(1);
  });

  it('counts each record once, and the account balances', async () => {
    await using directory = await temporaryDirectory();
    await using sidecar = await startSidecar({ STORAGE_SQLITE_PATH: directory.path('a.db') });
    await sidecar.storage('up');
    const records = [
      { ...RECORD, event_id: 'a' },
      { ...RECORD, event_id: 'a' },
      { ...RECORD, event_id: 'b' },
      { ...RECORD, action: 7 },
    ];
    expect((await postAudit(sidecar.api, records, { Prefer: 'wait=20' })).status).toBe(201);
    const metrics = await sidecar.metrics();
    const name = (term: string) => `agenttier_storage_records_${term}_total`;
    expect(TERMS.map((term) => sum(metrics, name(term), 'audit_event'))).toEqual([4, 2, 1, 1, 0]);
    expectBalance(metrics);
    expect(metrics.get('agenttier_storage_commit_records_count')).toBe(1);
    expect(metrics.get('agenttier_storage_commit_records_sum')).toBe(3);
    const route = 'method="POST",route="/v1/audit-events",status="201"';
    const requests = `agenttier_storage_http_request_duration_seconds_count{${route}}`;
    expect(metrics.get(requests)).toBe(1);
    expect(metrics.get('agenttier_storage_database_bytes')).toBeGreaterThan(0);
  });

  it('balances at every moment under load', async () => {
    await using directory = await temporaryDirectory();
    await using sidecar = await startSidecar({ STORAGE_SQLITE_PATH: directory.path('a.db') });
    const load = Array.from({ length: 8 }, async () => {
      for (let i = 0; i < 25; i += 1) {
        await postAudit(sidecar.api, Array(50).fill(RECORD), i % 5 === 0 ? { Prefer: 'wait' } : {});
      }
    });
    let isOver = false;
    const all = Promise.all(load).then(() => {
      isOver = true;
    });
    let looks = 0;
    while (!isOver) {
      expectBalance(await sidecar.metrics());
      looks += 1;
    }
    await all;
    expect(looks).toBeGreaterThan(1);
    const received = sum(
      await sidecar.metrics(),
      'agenttier_storage_records_received_total',
      'audit_event',
    );
    expect(received).toBe(8 * 25 * 50);
  });

  it("keeps to Prometheus's conventions, also where storage is down or none", async () => {
    await requireProgram('promtool', 'prometheus');
    await using directory = await temporaryDirectory();
    const up = { STORAGE_SQLITE_PATH: directory.path('a.db') };
    for (const env of [up, {}, { STORAGE_DRIVER: 'postgres' }]) {
      await using sidecar = await startSidecar(env);
      if (env === up) await sidecar.storage('up');
      await postAudit(sidecar.api, RECORD);
      const response = await fetch(`${sidecar.ops}/metrics`);
      expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
      const text = await response.text();
      expect(lint(text)).toEqual([]);
      const promtool = spawnSync('promtool', ['check', 'metrics'], { input: text });
      expect(promtool.stderr.toString() + promtool.stdout.toString()).toBe('');
      expect(promtool.status).toBe(0);
    }
  });
});

/** The rules of https://prometheus.io/docs/practices/naming/ that a machine can check. */
function lint(text: string): string[] {
  const problems: string[] = [];
  const seen = new Set<string>();
  for (const [, name = '', type] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    if (seen.has(name)) problems.push(`${name} stands twice`);
    seen.add(name);
    if (!/^[a-z][a-z0-9_]*$/.test(name)) problems.push(`${name} is no good name`);
    if ((type === 'counter') !== name.endsWith('_total')) problems.push(`${name} is a ${type}`);
    if (/_(ms|milliseconds|mb|kb|minutes|percent)(_|$)/.test(name))
      problems.push(`unit of ${name}`);
    if (!text.includes(`# HELP ${name} `)) problems.push(`${name} has no help`);
  }
  return seen.size === 0 ? ['there are no metrics'] : problems;
}
