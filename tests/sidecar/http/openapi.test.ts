import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import * as v from 'valibot';
import { expect, test } from 'vitest';
import { KINDS } from '../../../sidecar/src/records/kinds.ts';
import { SCHEMAS } from '../../../sidecar/src/records/schema.ts';
import { noopStore } from '../../../sidecar/src/stores/noop.ts';
import type { OpenApi } from '../support/openapi-check.ts';
import { TestApi } from './support/listener.ts';

async function served(): Promise<OpenApi & Record<string, unknown>> {
  const api = await TestApi.start(noopStore());
  return JSON.parse((await api.send('/openapi.json')).text);
}

test("is an OpenAPI 3.1 document by the specification's own schema", async () => {
  const document = await served();
  const { valid, errors } = await new Validator().validate(document);
  expect(valid, JSON.stringify(errors)).toBe(true);
  expect(document.openapi).toBe('3.1.0');
});

test('every reference leads somewhere, and every schema compiles', async () => {
  const document = await served();
  const text = JSON.stringify(document);
  for (const [, path] of text.matchAll(/"\$ref":"#\/([^"]+)"/g)) {
    let target: unknown = document;
    for (const key of path?.split('/') ?? []) target = (target as Record<string, unknown>)[key];
    expect(target, path).toBeDefined();
  }
  const ajv = new Ajv2020({ strict: false });
  ajv.addSchema({ ...document, $id: 'openapi' });
  for (const name of Object.keys(document.components.schemas)) {
    expect(ajv.compile({ $ref: `openapi#/components/schemas/${name}` })).toBeTypeOf('function');
  }
});

test('tells of every path and method that is served, and of no other', async () => {
  const document = await served();
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const expected = KINDS.flatMap(({ path }) => [`POST /v1/${path}`, `GET /v1/${path}`]);
  const others = ['GET /v1/backup', 'GET /openapi.json'];
  expect(operations.sort()).toEqual([...expected, ...others].sort());
});

test('says of records what the validator holds them to', async () => {
  const document = await served();
  const ajv = new Ajv2020({ strict: false });
  ajv.addSchema({ ...document, $id: 'openapi' });
  for (const kind of KINDS) {
    const validate = ajv.compile({ $ref: `openapi#/components/schemas/${kind.title}` });
    const full = Object.fromEntries(kind.columns.map((column) => [column.name, column.example]));
    const cases = [
      full,
      {},
      { ...full, colour: 1 },
      ...kind.columns.flatMap(({ name }) => [
        { ...full, [name]: null },
        { ...full, [name]: 'x'.repeat(70_000) },
        { ...full, [name]: -1 },
        Object.fromEntries(Object.entries(full).filter(([key]) => key !== name)),
      ]),
    ];
    for (const record of cases) {
      // The form of a time is beyond JSON Schema.
      if (String(record.ts).startsWith('xx')) continue;
      const schema = SCHEMAS[kind.index] as (typeof SCHEMAS)[number];
      expect(validate(record), Object.keys(record).join()).toBe(v.is(schema, record));
    }
  }
});
