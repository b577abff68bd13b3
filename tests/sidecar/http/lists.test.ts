import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { LIST_TIMEOUT_MS } from '../../../sidecar/src/http/api/limits.ts';
import { parseMoment } from '../../../sidecar/src/http/api/moment.ts';
import { KINDS } from '../../../sidecar/src/records/kinds.ts';
import { AUDIT, type ListAnswer, NDJSON_HEADERS, TestApi } from './support/listener.ts';
import { MemoryStore } from './support/memory-store.ts';

/** Stores audit events: one a text, which becomes its actor, all at the same moment unless told. */
async function filled(actors: readonly string[], ts = (_: number) => '2026-01-01T00:00:00Z') {
  const store = new MemoryStore();
  const api = await TestApi.start(store);
  const records = actors.map((actor, i) =>
    JSON.stringify({ actor, action: 'a', resource: 'r', ts: ts(i), event_id: `e${i}` }),
  );
  const headers = { ...NDJSON_HEADERS, prefer: 'wait' };
  if (records.length > 0) await api.post(records.join('\n'), headers);
  return { store, api };
}

function actorsOf(list: ListAnswer): unknown[] {
  return list.items.map((item) => item.actor);
}

const NUMBERS = Array.from({ length: 10 }, (_, i) => String(i));

test('answers newest first, and oldest first when asked', async () => {
  const { api } = await filled(['a', 'b', 'c'], (i) => `2026-01-0${i + 1}T00:00:00Z`);
  expect(actorsOf((await api.get(AUDIT)).json)).toEqual(['c', 'b', 'a']);
  expect(actorsOf((await api.get(`${AUDIT}?order=asc`)).json)).toEqual(['a', 'b', 'c']);
});

test('filters by equality, any of repeated values, all of different columns', async () => {
  const { api } = await filled(['a', 'b', 'c', 'a b', '']);
  const actors = async (query: string) => actorsOf((await api.get(`${AUDIT}?${query}`)).json);
  expect(await actors('actor=a&order=asc')).toEqual(['a']);
  expect(await actors('actor=a&actor=c&order=asc')).toEqual(['a', 'c']);
  expect(await actors('actor=a&event_id=e1')).toEqual([]);
  expect(await actors('actor=a+b')).toEqual(['a b']);
  expect(await actors('actor=a%20b&&')).toEqual(['a b']);
  expect(await actors('actor=')).toEqual(['']);
  expect(await actors('actor')).toEqual(['']);
});

test('reads since as inclusive and until as exclusive', async () => {
  const { api } = await filled(NUMBERS, (i) => `2026-01-01T00:00:0${i}+02:00`);
  const query = 'since=2026-01-01T00:00:02%2B02:00&until=2025-12-31T22:00:05Z&order=asc';
  expect(actorsOf((await api.get(`${AUDIT}?${query}`)).json)).toEqual(['2', '3', '4']);
  const bare = 'since=2026-01-01T00:00:08+02:00&order=asc';
  expect(actorsOf((await api.get(`${AUDIT}?${bare}`)).json)).toEqual(['8', '9']);
});

test.each([
  ['24h', 86_400_000],
  ['30d', 30 * 86_400_000],
  ['2w', 14 * 86_400_000],
  ['90s', 90_000],
  ['1h30m', 5_400_000],
  ['0s', 0],
])('reads %s as so long ago', (text, ms) => {
  const now = Date.UTC(2026, 10, 23);
  const iso = new Date(now - ms).toISOString().slice(0, 23);
  expect(parseMoment(text, now)).toBe(`${iso}000000Z`);
});

test('reads a duration beyond all times as the first of them', () => {
  expect(parseMoment('999999999w', Date.now())).toBe('0001-01-01T00:00:00.000000000Z');
});

test.each([
  ['colour=red', 'colour'],
  ['details=x', 'details'],
  ['Actor=x', 'Actor'],
  ['limit=0', 'limit'],
  ['limit=1001', 'limit'],
  ['limit=-1', 'limit'],
  ['limit=1.5', 'limit'],
  ['limit=1e2', 'limit'],
  ['limit=', 'limit'],
  ['limit=1&limit=1', 'limit'],
  ['order=up', 'order'],
  ['since=yesterday', 'since'],
  ['since=', 'since'],
  ['since=2026-02-30T00:00:00Z', 'since'],
  ['since=1h&since=1h', 'since'],
  ['until=24', 'until'],
  ['since=1h&until=2h', 'since'],
  ['cursor=', 'cursor'],
  ['cursor=abc', 'cursor'],
  ['cursor=%C3%A4', 'cursor'],
  ['actor=%', 'actor'],
  ['actor=%zz', 'actor'],
  ['actor=%ff', 'actor'],
  ['actor=%ed%a0%80', 'actor'],
  ['actor=%00', 'actor'],
  ['%ff=x', 'query parameter'],
  ['<b>=x', 'query parameter;'],
  [Array.from({ length: 101 }, (_, i) => `actor=${i}`).join('&'), 'filters'],
])('answers 400 to ?%s and names it', async (query, named) => {
  const { api } = await filled([]);
  const answer = await api.get(`${AUDIT}?${query}`);
  expect(answer.status).toBe(400);
  expect(answer.json.detail).toContain(named);
});

test('offers the filters that each kind has', async () => {
  const { api } = await filled([]);
  const offered = async (path: string) =>
    (await api.get(`${path}?x=1`)).json.detail?.replace(/.*known are | since.*/g, '');
  const [audit, sandbox, cost] = KINDS.map((kind) => `/v1/${kind.path}`) as [
    string,
    string,
    string,
  ];
  expect(await offered(audit)).toBe('actor, action, resource, sandbox_id, event_id,');
  expect(await offered(sandbox)).toBe(
    'sandbox_id, sandbox_name, namespace, phase, reason, event_id,',
  );
  expect(await offered(cost)).toBe('sandbox_id, namespace, event_id,');
});

describe('a cursor', () => {
  test('walks through all records once, also those of one moment, while others come', async () => {
    const { api } = await filled(NUMBERS);
    const seen: unknown[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const more: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const { json } = await api.get(`${AUDIT}?limit=3${more}`);
      seen.push(...actorsOf(json));
      cursor = json.next_cursor;
      await api.post({ actor: 'new', action: 'a', resource: 'r' }, { prefer: 'wait' });
    }
    expect(seen).toEqual(NUMBERS.toReversed());
  });

  test('may go on with another limit, and with the filters in another order', async () => {
    const { api } = await filled(NUMBERS);
    const filters = ['actor=1', 'actor=2', 'actor=3', 'action=a'];
    const first = await api.get(`${AUDIT}?limit=1&${filters.join('&')}`);
    const cursor = first.json.next_cursor;
    const rest = await api.get(
      `${AUDIT}?${filters.toReversed().join('&')}&cursor=${cursor}&limit=9`,
    );
    expect(actorsOf(rest.json)).toEqual(['2', '1']);
  });

  test.each([
    '',
    '&actor=2&order=asc',
    '&actor=1',
    '&action=a',
    '&actor=2&since=24h',
    '&actor=2&until=2027-01-01T00:00:00Z',
  ])('is refused with the question changed to %j', async (changed) => {
    const { api } = await filled(['2', '2']);
    const { json } = await api.get(`${AUDIT}?limit=1&actor=2`);
    const answer = await api.get(`${AUDIT}?cursor=${json.next_cursor}${changed}`);
    expect(answer.status).toBe(400);
    expect(answer.json.detail).toMatch('cursor');
    const other = await api.get(`/v1/sandbox-events?cursor=${json.next_cursor}`);
    expect(other.status).toBe(400);
  });

  test('keeps the moment that a duration meant', async () => {
    const { api, store } = await filled(NUMBERS, () => new Date().toISOString());
    const query = `${AUDIT}?since=24h&limit=1`;
    const { json } = await api.get(query);
    await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(0));
    await new Promise((resolve) => setTimeout(resolve, 20));
    await api.get(`${query}&cursor=${json.next_cursor}`);
    const [first, second] = store.queries.slice(-2);
    expect(first?.since).toBeDefined();
    expect(second?.since).toBe(first?.since);
    expect(second?.after).toBeDefined();
  });

  test('that is forged is refused or harmless', async () => {
    const { api } = await filled(['1']);
    const forged = (fields: unknown) => Buffer.from(JSON.stringify(fields)).toString('base64url');
    const time = '2026-01-01T00:00:00.000000000Z';
    for (const fields of [
      null,
      7,
      {},
      [],
      [2, 'x', time, '1', null, null],
      [1, 'x', time, '1', null, null],
      [1, 'x', time, '9223372036854775808', null, null],
      [1, 'x', time, '-1', null, null],
      [1, 'x', time, 1, null, null],
      [1, 'x', time, '1', 'x', null],
      [1, 'x', 7, '1', null, null],
    ]) {
      expect((await api.get(`${AUDIT}?cursor=${forged(fields)}`)).status).toBe(400);
    }
  });
});

test('a cursor with half a character is refused: no text that was read has one', async () => {
  const { store, api } = await filled(['1']);
  store.list = async () => ({ items: [], next: { ts: '2026\ud83d', id: '1' } });
  const { json } = await api.get(AUDIT);
  expect((await api.get(`${AUDIT}?cursor=${json.next_cursor}`)).status).toBe(400);
});

test.each([
  ['2026-01-01T00:00:00.000000000Z', '-5'],
  ['2026-01-01T00:00:00.000000000Z', '-9223372036854775808'],
  ['\u0001'.repeat(1_000), '1'],
  ['\u0000\u{1f984}\ufffd', '1'],
  ['', '1'],
])('goes on after a row that another program wrote with ts %j and id %s', async (ts, id) => {
  const { store, api } = await filled(['1']);
  store.list = async () => ({ items: [], next: { ts, id } });
  const { json } = await api.get(AUDIT);
  expect((await api.get(`${AUDIT}?cursor=${json.next_cursor}`)).status).toBe(200);
});

test('cuts a page whose text would be very long, and goes on after the cut', async () => {
  const store = new MemoryStore();
  const api = await TestApi.start(store);
  const details = 'x'.repeat(65_000);
  const lines = Array.from({ length: 100 }, (_, i) =>
    JSON.stringify({ actor: String(i), action: 'a', resource: 'r', details }),
  );
  await api.post(lines.join('\n'), { ...NDJSON_HEADERS, prefer: 'wait' });
  const seen: unknown[] = [];
  let pages = 0;
  for (let cursor: string | null = ''; cursor !== null; pages++) {
    const more: string = cursor === '' ? '' : `&cursor=${cursor}`;
    const answer = await api.get(`${AUDIT}?order=asc&limit=1000${more}`);
    expect(answer.text.length).toBeLessThan(5 * 1024 * 1024);
    seen.push(...actorsOf(answer.json));
    cursor = answer.json.next_cursor;
  }
  expect(seen.map(Number)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  expect(pages).toBe(2);
});

test('passes on a short page with its cursor', async () => {
  const { store, api } = await filled(['1']);
  store.list = async () => ({ items: [], next: { ts: '2026-01-01T00:00:00.000000000Z', id: '5' } });
  const { json } = await api.get(AUDIT);
  expect(json.items).toEqual([]);
  expect(json.next_cursor).not.toBeNull();
  expect((await api.get(`${AUDIT}?cursor=${json.next_cursor}`)).status).toBe(200);
});

test('answers 503 with Retry-After and the reason while storage is down', async () => {
  const { store, api } = await filled([]);
  store.down = true;
  const answer = await api.get(AUDIT);
  expect(answer.status).toBe(503);
  expect(answer.headers['retry-after']).toBe('5');
  expect(answer.json.detail).toBe('storage cannot be read: it is down; wait');
});

test('does not pass on what an unexpected error says', async () => {
  const { store, api } = await filled([]);
  store.list = async () => {
    throw new Error('S3CRET');
  };
  const answer = await api.get(AUDIT);
  expect(answer.status).toBe(503);
  expect(answer.text).not.toContain('S3CRET');
});

test('finds any text that can be stored by its filter', async () => {
  const api = await TestApi.start(new MemoryStore());
  const actors = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).filter((text) => {
    return !text.includes('\0') && text.isWellFormed();
  });
  await fc.assert(
    fc.asyncProperty(actors, async (actor) => {
      const record = { actor, action: 'a', resource: 'r' };
      expect((await api.post(record, { prefer: 'wait' })).status).toBe(201);
      for (const query of [`actor=${encodeURIComponent(actor)}`, new URLSearchParams({ actor })]) {
        const { json } = await api.get(`${AUDIT}?limit=1&${query}`);
        expect(actorsOf(json)).toEqual([actor]);
      }
    }),
    { numRuns: 50 },
  );
});

test('lets the store know when nobody waits for a list any more', async () => {
  const store = new MemoryStore();
  const asked = Promise.withResolvers<AbortSignal | undefined>();
  store.list = (_, signal) => {
    asked.resolve(signal);
    return new Promise(() => {});
  };
  const api = await TestApi.start(store);
  const { socket } = await api.connect();
  socket.write(`GET ${AUDIT} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  const signal = await asked.promise;
  expect(signal?.aborted).toBe(false);
  socket.destroy();
  await vi.waitFor(() => expect(signal?.aborted).toBe(true));
  // Its share of the memory is free, though the store goes on.
  await vi.waitFor(() => expect(api.api.pageBytes).toBe(0));
});

test('gives up a list that the store does not answer in time, without waiting for the store', async () => {
  const store = new MemoryStore();
  const asked = Promise.withResolvers<AbortSignal | undefined>();
  store.list = (_, signal) => {
    asked.resolve(signal);
    return new Promise(() => {});
  };
  const api = await TestApi.start(store);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const answer = api.get(AUDIT);
  const signal = await asked.promise;
  vi.advanceTimersByTime(LIST_TIMEOUT_MS - 1);
  expect(signal?.aborted).toBe(false);
  vi.advanceTimersByTime(1);
  expect(signal?.aborted).toBe(true);
  const { status, json } = await answer;
  expect(status).toBe(503);
  expect(json.detail).toBe('storage cannot be read: the list was not answered in time');
  expect(api.api.pageBytes).toBe(0);
});
