import { afterEach, describe, expect, it } from 'vitest';
import { generateRecords } from '../../../scripts/simulate/generate.ts';
import { main } from '../../../scripts/simulate/main.ts';
import { acceptAll, fakeSidecar } from './fake-sidecar.ts';

const FLEET = ['--sandboxes', '5', '--days', '2', '--seed', 'x', '--start', '2026-05-01'];
const EXPECTED = [
  ...generateRecords({ sandboxes: 5, days: 2, seed: 'x', startMs: Date.UTC(2026, 4, 1) }),
];

let sidecar: Awaited<ReturnType<typeof fakeSidecar>> | undefined;

afterEach(async () => {
  await sidecar?.close();
  sidecar = undefined;
});

async function start(answer: Parameters<typeof fakeSidecar>[0]) {
  sidecar = await fakeSidecar(answer);
  return sidecar;
}

async function simulate(...args: string[]) {
  let out = '';
  let problems = '';
  const status = await main(
    args,
    { write: (text) => (out += text) },
    { write: (text) => (problems += text) },
  );
  return { status, out, problems };
}

/** The row `total` of the closing table. */
function totals(out: string): string[] {
  return /^total .*$/m.exec(out)![0].split(/ +/).slice(1);
}

const ALL = EXPECTED.length.toLocaleString('en-US');

describe('simulate', () => {
  it('posts each record once, to the path of its kind, and sums up', async () => {
    const { url, requests } = await start(acceptAll);
    const { status, out, problems } = await simulate(...FLEET, '--url', url, '--batch', '50');
    expect({ status, problems }).toEqual({ status: 0, problems: '' });
    const sent = requests.flatMap(({ path, records }) =>
      records.map((record) => `${path} ${record.event_id}`),
    );
    const expected = EXPECTED.map(({ kind, fields }) => `/v1/${kind.path} ${fields.event_id}`);
    expect(sent.toSorted()).toEqual(expected.toSorted());
    expect(Math.max(...requests.map(({ records }) => records.length))).toBe(50);
    expect(totals(out)).toEqual([ALL, ALL, '0', '0', '0']);
    expect(out).toContain('100%');
    expect(out).not.toContain('\r');
  });

  it('sends the same again when it is run again', async () => {
    const { url, requests } = await start(acceptAll);
    await simulate(...FLEET, '--url', url, '--connections', '1');
    const first = requests.splice(0).map(({ records }) => records);
    await simulate(...FLEET, '--url', url, '--connections', '1');
    expect(requests.map(({ records }) => records)).toEqual(first);
  });

  it('keeps to its connections and uses them again', async () => {
    const server = await start(acceptAll);
    await simulate(...FLEET, '--url', server.url, '--batch', '5', '--connections', '2');
    expect(server.requests.length).toBeGreaterThan(20);
    expect(server.connections).toBeLessThanOrEqual(2);
  });

  it('waits as long as a 503 says, then sends the same batch again', async () => {
    const { url, requests } = await start((request, nth) =>
      nth === 1 ? { status: 503, headers: { 'retry-after': '1' } } : acceptAll(request),
    );
    const { status, out } = await simulate(...FLEET, '--url', url, '--connections', '1');
    expect(status).toBe(0);
    expect(requests[1]!.records).toEqual(requests[0]!.records);
    expect(requests[1]!.at - requests[0]!.at).toBeGreaterThan(950);
    expect(totals(out)).toEqual([ALL, ALL, '0', '0', '0']);
    expect(out).toContain('after a 503: 1');
  });

  it('counts what was refused, names the first problem and exits 1', async () => {
    const { url } = await start((request, nth) => {
      if (nth > 1) return acceptAll(request);
      const rejected = [{ index: 0, problem: 'phase: must not be empty' }];
      const accepted = request.records.length - 1;
      return { status: 202, body: { accepted, rejected_count: 1, rejected } };
    });
    const { status, out, problems } = await simulate(...FLEET, '--url', url);
    expect(status).toBe(1);
    const rest = (EXPECTED.length - 1).toLocaleString('en-US');
    expect(totals(out)).toEqual([ALL, rest, '0', '0', '1']);
    expect(problems).toContain('refused 1 records: phase: must not be empty');
  });

  it('counts a batch that is refused as a whole', async () => {
    const { url } = await start(() => ({ status: 413, body: { title: 'too large' } }));
    const { status, out, problems } = await simulate(...FLEET, '--url', url);
    expect(status).toBe(1);
    expect(totals(out)).toEqual([ALL, '0', '0', '0', ALL]);
    expect(problems).toContain('status 413: too large');
  });

  it('asks for durability with --wait, and counts what is durable or was there already', async () => {
    const { url, requests } = await start(({ records }) => {
      const body = { accepted: records.length, rejected_count: 0, rejected: [] };
      return { status: 201, body: { ...body, stored: records.length - 1, duplicates: 1 } };
    });
    const { status, out } = await simulate(...FLEET, '--url', url, '--wait');
    expect(status).toBe(0);
    expect(requests.every(({ prefer }) => prefer === 'wait=60')).toBe(true);
    expect(totals(out)).toEqual([ALL, ALL, ALL, String(requests.length), '0']);
  });

  it('keeps to a rate', async () => {
    const { url } = await start(acceptAll);
    const few = ['--sandboxes', '2', '--days', '0.2', '--seed', 'x', '--start', '2026-05-01'];
    const started = performance.now();
    const { out } = await simulate(...few, '--url', url, '--rate', '50');
    const count = Number(totals(out)[0]);
    expect(count).toBeGreaterThan(20);
    const seconds = (performance.now() - started) / 1_000;
    expect(seconds).toBeGreaterThan(((count - 5) / 50) * 0.9);
  });

  it('says what to do when no sidecar is there', async () => {
    const { url, close } = await fakeSidecar(acceptAll);
    await close();
    const { status, problems } = await simulate(...FLEET, '--url', url);
    expect(status).toBe(1);
    expect(problems).toContain(`no sidecar answers at ${url} (ECONNREFUSED)`);
    expect(problems).toContain('npm start');
  });

  it.each([
    [['--sandboxes', '0'], '--sandboxes must be a whole number'],
    [['--sandboxes', 'many'], "not 'many'"],
    [['--days', '-1'], '--days'],
    [['--days', '0'], '--days must be a number above 0'],
    [['--rate', 'fast'], "--rate must be 'max' or a number"],
    [['--batch', '50001'], '--batch'],
    [['--connections', '1.5'], '--connections'],
    [['--start', 'yesterday'], '--start must be a date'],
    [['--start', '2026-13-01'], '--start must be a date'],
    [['--start', '2026-02-30'], '--start must be a date'],
    [['--start', '2026-11-01T24:00Z'], '--start must be a date'],
    [['--url', 'https://127.0.0.1'], '--url must be an http address'],
    [['--url', 'http://127.0.0.1:1/v1'], '--url must be an http address'],
    [['--sandbox', '1'], "'--sandbox'"],
    [['stray'], "'stray'"],
  ])('refuses %j by name and exits 2', async (args, message) => {
    const { status, out, problems } = await simulate(...args);
    expect(status).toBe(2);
    expect(out).toBe('');
    expect(problems).toContain(message);
    expect(problems).toContain('--help');
  });

  it('explains itself with --help', async () => {
    const { status, out } = await simulate('--help');
    expect(status).toBe(0);
    for (const option of ['sandboxes', 'days', 'rate', 'seed', 'url', 'batch', 'connections']) {
      expect(out).toContain(`--${option} `);
    }
  });
});
