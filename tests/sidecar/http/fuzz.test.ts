import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { skipSpace, ValueScan } from '../../../sidecar/src/http/api/value-scan.ts';
import { noopStore } from '../../../sidecar/src/stores/noop.ts';
import { AUDIT, JSON_HEADERS, NDJSON_HEADERS, TestApi } from './support/listener.ts';
import { MemoryStore } from './support/memory-store.ts';

const PATHS = [AUDIT, '/v1/sandbox-events', '/v1/cost-snapshots'];

/** Field names of all kinds, some of Object.prototype's, and others. */
const fieldName = fc.oneof(
  fc.constantFrom(
    'ts',
    'actor',
    'action',
    'resource',
    'sandbox_id',
    'phase',
    'event_id',
    'cpu_hours',
  ),
  fc.constantFrom('__proto__', 'constructor', 'hasOwnProperty', '', '0'),
  fc.string(),
);

const fieldValue = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.double(),
  fc.constantFrom('2026-11-23T09:41:46Z', '9999-12-31T23:59:60-23:59', '\ud800', '\0', -0, 1e308),
  fc.jsonValue(),
);

const record = fc
  .array(fc.tuple(fieldName, fieldValue))
  .map(
    (fields) =>
      `{${fields.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`)}}`,
  );

/** Bodies that are nearly JSON: cut, doubled, with bytes changed. */
const damaged = fc
  .tuple(fc.array(record, { maxLength: 5 }), fc.nat(), fc.nat(255), fc.boolean())
  .map(([records, at, byte, cut]) => {
    const bytes = Buffer.from(`[${records}]`);
    const place = at % bytes.length;
    bytes[place] = byte;
    return cut ? bytes.subarray(0, place) : bytes;
  });

const body = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  fc.array(record, { maxLength: 5 }).map((records) => Buffer.from(`[${records}]`)),
  fc.array(record, { maxLength: 5 }).map((records) => Buffer.from(records.join('\n'))),
  fc.json().map((text) => Buffer.from(text)),
  damaged,
);

test('no body leads to an error of ours, and the account of the records always balances', async () => {
  const api = await TestApi.start(noopStore());
  const { ledger } = api.recorder;
  const contentType = fc.constantFrom(JSON_HEADERS, NDJSON_HEADERS);
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...PATHS), contentType, body, async (path, headers, bytes) => {
      const place = PATHS.indexOf(path);
      const before = ledger.received[place] ?? 0;
      const answer = await api.post(bytes, headers, path);
      expect([202, 400]).toContain(answer.status);
      const { accepted = 0, rejected_count = 0 } = answer.json;
      expect((ledger.received[place] ?? 0) - before).toBe(accepted + rejected_count);
    }),
    { numRuns: 400 },
  );
});

test('what is accepted reads back as JSON.parse understands it', async () => {
  const store = new MemoryStore();
  const api = await TestApi.start(store);
  const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 30 });
  const valid = fc.record({ action: text, resource: text, details: text });
  await fc.assert(
    fc.asyncProperty(
      fc.array(valid, { minLength: 1, maxLength: 8 }),
      fc.boolean(),
      async (records, lines) => {
        store.tables.get('audit_events')?.splice(0);
        const texts = records.map((one) => JSON.stringify(one));
        const sent = lines ? texts.join('\n') : `[${texts.join(' , ')}]`;
        const headers = { ...(lines ? NDJSON_HEADERS : JSON_HEADERS), prefer: 'wait' };
        const answer = await api.post(sent, headers);
        const good = records.filter((one) =>
          Object.values(one).every((value) => value.isWellFormed() && !value.includes('\0')),
        );
        expect(answer.json.accepted).toBe(good.length);
        expect(store.tables.get('audit_events')).toMatchObject(good);
      },
    ),
    { numRuns: 100 },
  );
});

test('no query leads to an error of ours', async () => {
  const api = await TestApi.start(new MemoryStore());
  const name = fc.constantFrom(
    'actor',
    'since',
    'until',
    'limit',
    'order',
    'cursor',
    'event_id',
    'x',
  );
  const value = fc.oneof(
    fc.string({ unit: 'binary' }).map((text) => encodeURIComponent(text.toWellFormed())),
    fc.constantFrom('1', 'asc', '24h', '2026-01-01T00:00:00Z', '%', '%f', '%ff', '+', ''),
    fc.stringMatching(/^[!"$-[\]-~]{0,30}$/),
  );
  const parameter = fc.tuple(name, value).map(([key, text]) => `${key}=${text}`);
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...PATHS), fc.array(parameter), async (path, parameters) => {
      const answer = await api.send(`${path}?${parameters.join('&')}`);
      expect([200, 400]).toContain(answer.status);
    }),
    { numRuns: 300 },
  );
});

test('no bytes on a connection lead to an error of ours', async () => {
  const api = await TestApi.start(noopStore());
  const line = fc.constantFrom(
    `POST ${AUDIT} HTTP/1.1`,
    `GET ${AUDIT} HTTP/1.1`,
    'Host: localhost',
    'Content-Type: application/json',
    'Content-Length: 2',
    'Transfer-Encoding: chunked',
    'Expect: 100-continue',
    'Prefer: wait="',
    'Connection: close',
    '',
    '{}',
    '2',
    '0',
  );
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 100 }).map((data) => Buffer.from(data)),
    fc.array(line, { maxLength: 12 }).map((lines) => Buffer.from(`${lines.join('\r\n')}\r\n\r\n`)),
  );
  await fc.assert(
    fc.asyncProperty(bytes, async (data) => {
      const connection = await api.connect();
      connection.socket.end(data);
      const answer = await connection.until(/$^/);
      for (const [, status] of answer.matchAll(/^HTTP\/1\.1 (\d+)/gm)) {
        expect([100, 200, 202, 400, 404, 405, 413, 415, 417, 421, 431]).toContain(Number(status));
      }
    }),
    { numRuns: 200 },
  );
  expect((await api.send(AUDIT)).status).toBe(200);
});

describe('the scan of a value', () => {
  const json = fc.json({ maxDepth: 4 });
  const space = fc.stringMatching(/^[ \t\r\n]{0,3}$/);

  test('finds the end of every element of an array', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(space, json, space), { minLength: 1 }), (elements) => {
        const bytes = Buffer.from(`${elements.map((parts) => parts.join('')).join(',')}]`);
        const scan = new ValueScan();
        let at = 0;
        for (const [, text] of elements) {
          at = skipSpace(bytes, at, bytes.length);
          expect(scan.run(bytes, at, bytes.length)).toBe(true);
          expect(bytes.toString('utf8', at, scan.end).trim()).toBe(text.trim());
          at = skipSpace(bytes, scan.end, bytes.length) + 1;
        }
        expect(at).toBe(bytes.length);
      }),
    );
  });

  test('counts the keys of an object, repeated ones too', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string(), json)), (fields) => {
        const text = `{${fields.map(([name, value]) => `${JSON.stringify(name)}:${value}`)}}`;
        const bytes = Buffer.from(text);
        const scan = new ValueScan();
        expect(scan.run(bytes, 0, bytes.length)).toBe(true);
        expect(scan.keys).toBe(fields.length);
      }),
    );
  });
});
