/**
 * The parts of an OpenAPI 3.1 document that ours has, as a JSON Schema: closed, so that a member
 * that is misspelt or misplaced fails.
 */

const reference = object({ $ref: { type: 'string', pattern: '^#/components/' } }, ['$ref']);
const text = { type: 'string', minLength: 1 };
const jsonSchema = { type: ['object', 'boolean'] };

const header = object({ description: text, required: { type: 'boolean' }, schema: jsonSchema }, [
  'schema',
]);

const parameter = object(
  {
    name: text,
    in: { enum: ['query', 'header', 'path', 'cookie'] },
    description: text,
    required: { type: 'boolean' },
    schema: jsonSchema,
    style: { enum: ['form', 'simple'] },
    explode: { type: 'boolean' },
    example: {},
  },
  ['name', 'in', 'schema'],
);

const content = mapOf(
  object({ schema: jsonSchema, example: {} }, ['schema']),
  '^[a-z]+/[a-z+.-]+$',
);

const response = object(
  { description: text, headers: mapOf({ oneOf: [reference, header] }), content },
  ['description'],
);

const operation = object(
  {
    operationId: { type: 'string', pattern: '^[a-zA-Z]+$' },
    summary: text,
    description: text,
    parameters: { type: 'array', items: { oneOf: [reference, parameter] } },
    requestBody: object({ required: { type: 'boolean' }, content }, ['content']),
    responses: mapOf(response, '^[1-5]\\d\\d$'),
  },
  ['operationId', 'responses'],
);

const methods = '^(get|put|post|delete|options|head|patch|trace)$';

export const DOCUMENT_SHAPE = object(
  {
    openapi: { type: 'string', pattern: '^3\\.1\\.\\d+$' },
    info: object(
      {
        title: text,
        version: text,
        description: text,
        license: object({ name: text, identifier: text }, ['name']),
      },
      ['title', 'version'],
    ),
    servers: { type: 'array', items: object({ url: text }, ['url']) },
    paths: mapOf(mapOf(operation, methods), '^/'),
    components: object({
      schemas: mapOf(jsonSchema, '^[a-zA-Z0-9._-]+$'),
      parameters: mapOf(parameter, '^[a-zA-Z0-9._-]+$'),
      headers: mapOf(header, '^[a-zA-Z0-9._-]+$'),
    }),
  },
  ['openapi', 'info', 'paths'],
);

function object(properties: Record<string, object>, required: readonly string[] = []) {
  return { type: 'object', properties, required, additionalProperties: false };
}

function mapOf(values: object, names = '') {
  return {
    type: 'object',
    patternProperties: { [names]: values },
    additionalProperties: false,
  };
}
