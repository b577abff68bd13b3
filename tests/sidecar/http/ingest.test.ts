import { expect, test } from 'vitest';
import { noopStore } from '../../../sidecar/src/stores/noop.ts';
import { AUDIT, JSON_HEADERS, NDJSON_HEADERS, TestApi } from './support/listener.ts';
import { MemoryStore } from './support/memory-store.ts';

const RECORD = { action: 'create', resource: 'sandbox' };
const NOTHING = { accepted: 0, rejected_count: 0, rejected: [] };

test('queues one record and answers 202 with a receipt', async () => {
  const api = await TestApi.start();
  const answer = await api.post(RECORD);
  expect(answer.status).toBe(202);
  expect(answer.json).toEqual({ accepted: 1, rejected_count: 0, rejected: [] });
});

test('takes every kind, with every field, and answers it as it was sent', async () => {
  const api = await TestApi.start();
  const sent = {
    ts: '2026-11-23T09:41:46.610360000Z',
    sandbox_id: 'sbx-ä-💾',
    namespace: 'team "a"\n',
    cpu_hours: 0.25,
    mem_gb_hours: 1e-7,
    estimated_usd: 0,
    event_id: 'e-1',
  };
  const wait = { prefer: 'wait' };
  expect((await api.post(sent, wait, '/v1/cost-snapshots')).status).toBe(201);
  const event = { sandbox_id: 's', phase: 'Running' };
  expect((await api.post(event, wait, '/v1/sandbox-events')).status).toBe(201);
  const list = await api.get('/v1/cost-snapshots');
  expect(list.json).toEqual({ items: [{ id: '1', ...sent }], next_cursor: null });
  expect(Object.keys(list.json.items[0] ?? {})).toEqual(['id', ...Object.keys(sent)]);
});

test('keeps the valid records of an array and tells what is wrong with the others', async () => {
  const api = await TestApi.start();
  const answer = await api.post([
    RECORD,
    { action: 'stop' },
    RECORD,
    7,
    { ...RECORD, colour: 'x' },
  ]);
  expect(answer.status).toBe(202);
  expect(answer.json).toEqual({
    accepted: 2,
    rejected_count: 3,
    rejected: [
      { index: 1, problem: 'resource: is required' },
      { index: 3, problem: 'must be an object' },
      { index: 4, problem: 'colour: unknown field' },
    ],
  });
  expect(api.recorder.ledger.rejected.invalid[0]).toBe(3);
  expect(api.recorder.ledger.received[0]).toBe(5);
});

test('answers 400 with the same members when no record is valid', async () => {
  const api = await TestApi.start();
  const answer = await api.post([{}, null]);
  expect(answer.status).toBe(400);
  expect(answer.json).toMatchObject({ accepted: 0, rejected_count: 2 });
  expect(answer.json.rejected?.map(({ index }) => index)).toEqual([0, 1]);
  expect((await api.post('"text"')).json.rejected_count).toBe(1);
});

test('lists at most 100 rejections and counts them all', async () => {
  const api = await TestApi.start();
  const answer = await api.post([...Array.from({ length: 150 }, () => ({})), RECORD]);
  expect(answer.status).toBe(202);
  expect(answer.json).toMatchObject({ accepted: 1, rejected_count: 150 });
  expect(answer.json.rejected).toHaveLength(100);
});

test('accepts an empty array, as nothing', async () => {
  const api = await TestApi.start();
  for (const body of ['[]', ' [ \n ] ']) {
    const answer = await api.post(body, { prefer: 'wait' });
    expect([answer.status, answer.json]).toEqual([202, NOTHING]);
  }
});

test.each([
  ['nothing', ''],
  ['blanks', ' \r\n\t'],
  ['half an object', '{"action":"create"'],
  ['half an array', '[{"action":"create","resource":"sandbox"}'],
  ['an array that goes on', '[] []'],
  ['a trailing comma', '[{"action":"create","resource":"sandbox"},]'],
  ['a leading comma', '[,1]'],
  ['no comma', '[1 2]'],
  ['brackets that do not match', '[{"action":"create"]]'],
  ['an object that goes on', '{"action":"create","resource":"sandbox"} {}'],
  ['a comment', '{/**/}'],
  ['single quotes', "{'action':'create'}"],
  ['NaN', '[NaN]'],
  ['a byte order mark', '\ufeff{"action":"create","resource":"sandbox"}'],
  ['a raw newline in a text', '{"action":"cre\nate","resource":"sandbox"}'],
  ['a late error', `[${'{"action":"create","resource":"sandbox"},'.repeat(2_000)}!]`],
])('answers 400 to %s and stores nothing', async (_, body) => {
  const api = await TestApi.start();
  const answer = await api.post(body);
  expect(answer.status).toBe(400);
  expect(answer.json.rejected_count).toBeUndefined();
  expect(api.recorder.ledger.received[0]).toBe(0);
});

test('says at which record an array is broken, and nothing of its content', async () => {
  const api = await TestApi.start(noopStore());
  const record = '{"action":"a","resource":"r"}';
  const detailOf = async (body: string) => JSON.parse((await api.post(body)).text).detail;
  const broken = (record: number) =>
    `the body is not valid JSON, in or after its record ${record}, from 0`;
  expect(await detailOf(`[${record},${record},{"action":"a" "resource":"r"}]`)).toBe(broken(2));
  expect(await detailOf(`[${record} ${record}]`)).toBe(broken(0));
  expect(await detailOf(`[${record},]`)).toBe(broken(1));
  expect(await detailOf(`[${record}`)).toBe(broken(0));
  expect(await detailOf(`[${record}] x`)).toBe('the body is not valid JSON');
});

test('refuses malformed UTF-8, and names a byte order mark', async () => {
  const api = await TestApi.start();
  const bad = Buffer.from('{"action":"create","resource":"\xff"}', 'latin1');
  expect((await api.post(bad)).json.detail).toMatch('well-formed UTF-8');
  const overlong = Buffer.from('{"action":"create","resource":"\xc0\xaf"}', 'latin1');
  expect((await api.post(overlong)).status).toBe(400);
  expect((await api.post('\ufeff{}')).json.detail).toMatch('byte order mark');
});

test.each([
  ['a key twice', '{"action":"a","resource":"r","action":"a"}', 'given twice'],
  ['a key twice, once escaped', '{"action":"a","resource":"r","\\u0061ction":"a"}', 'given twice'],
  ['a key twice, once nested', '{"action":{"a":1},"resource":"r","action":"a"}', 'given twice'],
  ['__proto__', '{"action":"a","resource":"r","__proto__":{"x":1}}', '__proto__: unknown field'],
  ['toString', '{"action":"a","resource":"r","toString":"x"}', 'toString: unknown field'],
  ['a lone surrogate', '{"action":"\\ud800","resource":"r"}', 'action: must be well-formed'],
  ['NUL', '{"action":"\\u0000","resource":"r"}', 'action: must not hold a NUL'],
  ['a number for a text', '{"action":1,"resource":"r"}', 'action: must be a string'],
  ['a null', '{"action":null,"resource":"r"}', 'action: must be a string'],
  ['an empty text', '{"action":"","resource":"r"}', 'action: must not be empty'],
  ['a nested array', '[{"action":"a","resource":"r"}]', 'must be an object'],
  ['a field with a strange name', '{"action":"a","resource":"r","<b>":1}', 'unknown field'],
])('rejects a record with %s', async (_, record, problem) => {
  const api = await TestApi.start();
  const answer = await api.post(`[${record},{"action":"a","resource":"r"}]`);
  expect(answer.json).toMatchObject({ accepted: 1, rejected_count: 1 });
  expect(answer.json.rejected?.[0]?.problem).toMatch(problem);
  expect(answer.text).not.toContain('<b>');
});

test.each(['1e999', '-1', '-1e999', '"1"'])('rejects the number %s', async (number) => {
  const api = await TestApi.start();
  const answer = await api.post(
    `{"sandbox_id":"s","cpu_hours":${number}}`,
    {},
    '/v1/cost-snapshots',
  );
  expect(answer.status).toBe(400);
  expect(answer.json.rejected?.[0]?.problem).toMatch(/^cpu_hours: must/);
});

test('takes keys and quotes in texts for what they are', async () => {
  const store = new MemoryStore();
  const api = await TestApi.start(store);
  const details = '{"action":"x","action":"y"} \\" : \\\\';
  const answer = await api.post(
    [
      { ...RECORD, details },
      { ...RECORD, details: ',]}"' },
    ],
    {
      prefer: 'wait',
    },
  );
  expect(answer.status).toBe(201);
  expect(store.tables.get('audit_events')?.map((item) => item.details)).toEqual([details, ',]}"']);
});

test('never repeats what was sent', async () => {
  const api = await TestApi.start();
  const bodies = [
    '{"action":"S3CRET"',
    '{"S3CRET key":1}',
    '[{"action":1,"resource":{"S3CRET":1}}]',
  ];
  for (const body of bodies) {
    expect((await api.post(body)).text).not.toContain('S3CRET');
  }
});

test('reads a line a record, whatever ends the lines, and rejects bad ones by their index', async () => {
  const api = await TestApi.start();
  const line = JSON.stringify(RECORD);
  const body = `\n${line}\r\n\r\n  \n{"action":\n${line}\nnull\n\ufeff${line}\n${line}`;
  const answer = await api.post(body, NDJSON_HEADERS);
  expect(answer.status).toBe(202);
  expect(answer.json).toMatchObject({ accepted: 3, rejected_count: 3 });
  expect(answer.json.rejected?.map(({ index }) => index)).toEqual([1, 3, 4]);
  expect(answer.json.rejected?.[2]?.problem).toMatch('byte order mark');
});

test('keeps the good lines around one of malformed UTF-8', async () => {
  const api = await TestApi.start();
  const line = JSON.stringify(RECORD);
  const body = Buffer.from(`${line}\n{"action":"\xff","resource":"r"}\n${line}\n`, 'latin1');
  const answer = await api.post(body, NDJSON_HEADERS);
  expect(answer.json).toMatchObject({ accepted: 2, rejected_count: 1 });
});

test('refuses NDJSON without a record, and one without a valid record', async () => {
  const api = await TestApi.start();
  expect((await api.post('\n \r\n', NDJSON_HEADERS)).json.detail).toMatch('empty');
  const answer = await api.post('{}\n[]\n', NDJSON_HEADERS);
  expect([answer.status, answer.json.rejected_count]).toEqual([400, 2]);
});

test('does not mind where NDJSON is cut into packets', async () => {
  const store = new MemoryStore();
  const api = await TestApi.start(store);
  const line = JSON.stringify({ ...RECORD, details: 'ä💾\\n' });
  const body = Buffer.from(`${line}\n${line}\n${line}`);
  const connection = await api.connect();
  const { socket } = connection;
  socket.setNoDelay(true);
  socket.write(
    `POST ${AUDIT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nPrefer: wait\r\nContent-Length: ${body.length}\r\n\r\n`,
  );
  for (let at = 0; at < body.length; at += 7) {
    socket.write(body.subarray(at, at + 7));
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await connection.until(/\}$/)).toMatch('"stored":3');
  expect(store.tables.get('audit_events')?.map((item) => item.details)).toEqual(
    Array.from({ length: 3 }, () => 'ä💾\\n'),
  );
});

test('answers 503 with Retry-After and queues nothing when there is no room for all', async () => {
  const store = new MemoryStore();
  store.down = true;
  const api = await TestApi.start(store, 1_000);
  const records = Array.from({ length: 50 }, () => RECORD);
  const answer = await api.post([...records, {}]);
  expect(answer.status).toBe(413);
  expect(answer.json.detail).toMatch('exceed the whole queue, send them in several');
  expect(answer.json).toMatchObject({ accepted: 0, rejected_count: 1 });
  expect(api.recorder.queuedBytes).toBe(0);
  expect(api.recorder.ledger.received[0]).toBe(51);
  const some = records.slice(0, 5);
  expect((await api.post(some)).status).toBe(202);
  const next = await api.post(some);
  expect([next.status, next.json.detail]).toEqual([503, expect.stringContaining('no room')]);
  expect(Number(next.headers['retry-after'])).toBeGreaterThan(0);
});

test('accepts everything when storage is off', async () => {
  const api = await TestApi.start(noopStore());
  const answer = await api.post(RECORD, { prefer: 'wait=5' });
  expect(answer.status).toBe(202);
  expect(answer.headers['preference-applied']).toBeUndefined();
  expect((await api.get(AUDIT)).json).toEqual({ items: [], next_cursor: null });
});

test.each([
  ['no Content-Type', {}],
  ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
  ['plain text', { 'content-type': 'text/plain' }],
  ['JSON in its parameters', { 'content-type': 'text/plain; application/json' }],
  ['a type that begins alike', { 'content-type': 'application/json-patch+json' }],
  ['another charset', { 'content-type': 'application/json; charset=utf-16' }],
])('answers 415 to %s and says what to send', async (_, headers) => {
  const api = await TestApi.start();
  const answer = await api.send(AUDIT, { headers, body: JSON.stringify(RECORD) });
  expect(answer.status).toBe(415);
  expect(answer.text).toMatch('Content-Type: application/json');
});

test.each([
  'application/json; charset=utf-8',
  'Application/JSON;charset="UTF-8"',
  'application/json ;profile=x',
  'application/x-ndjson; charset=utf-8',
])('understands the content type %s', async (type) => {
  const api = await TestApi.start();
  expect((await api.post(RECORD, { 'content-type': type })).status).toBe(202);
});

test.each(['gzip', 'identity', 'br'])('refuses the content encoding %s', async (encoding) => {
  const api = await TestApi.start();
  const answer = await api.post(RECORD, { 'content-encoding': encoding });
  expect([answer.status, answer.json.detail]).toEqual([
    415,
    'send the body as it is, without a Content-Encoding header',
  ]);
});

test('refuses a query on a POST, which would be a mistake', async () => {
  const api = await TestApi.start();
  const body = JSON.stringify(RECORD);
  const answer = await api.send(`${AUDIT}?wait=5`, { headers: JSON_HEADERS, body });
  expect(answer.status).toBe(400);
  expect(api.api.refusedBodies.query).toBe(1);
});
