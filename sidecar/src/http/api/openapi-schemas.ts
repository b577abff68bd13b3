import { toJsonSchema } from '@valibot/to-json-schema';
import { type Column, KINDS, type Kind } from '../../records/kinds.ts';
import { SCHEMAS } from '../../records/schema.ts';
import { MAX_LISTED_REJECTIONS } from './limits.ts';

/** A JSON Schema of the 2020-12 dialect, which OpenAPI 3.1 uses. */
export type JsonSchema = Readonly<Record<string, unknown>>;

export function ref(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` };
}

/** All named schemas of the document. */
export function componentSchemas(): Record<string, JsonSchema> {
  const schemas: Record<string, JsonSchema> = {};
  for (const kind of KINDS) {
    schemas[kind.title] = inputSchema(kind);
    schemas[`Stored${kind.title}`] = storedSchema(kind);
    schemas[`${kind.title}Page`] = pageSchema(kind);
  }
  return { ...schemas, Rejection, Receipt, DurableReceipt, Problem };
}

/** What a caller sends: the schema that validates it, and what that cannot say about itself. */
function inputSchema(kind: Kind): JsonSchema {
  const schema = SCHEMAS[kind.index] as (typeof SCHEMAS)[number];
  const options = { typeMode: 'input', errorMode: 'ignore', target: 'draft-2020-12' } as const;
  const { $schema: _, ...document } = toJsonSchema(schema, options);
  const properties: Record<string, JsonSchema> = {};
  for (const column of kind.columns) {
    const validated = document.properties?.[column.name] as JsonSchema;
    properties[column.name] = {
      ...validated,
      ...bounds(column),
      description: validated.description ?? column.about,
      examples: [column.example],
    };
  }
  return { ...document, properties };
}

/** A text of so many bytes has at most so many characters. */
function bounds(column: Column): JsonSchema {
  if (column.type === 'event_id') return { pattern: '^[\\x21-\\x7e]{1,128}$' };
  return column.type === 'text' ? { maxLength: column.maxBytes } : {};
}

/** What a list answers: every column, whoever wrote the row. */
function storedSchema(kind: Kind): JsonSchema {
  const properties: Record<string, JsonSchema> = {
    id: { type: 'string', pattern: '^-?\\d+$', description: 'A 64-bit number, as a text.' },
  };
  for (const column of kind.columns) {
    const { about: description, example } = column;
    properties[column.name] = { type: storedType(column), description, examples: [example] };
  }
  const required = Object.keys(properties);
  return { type: 'object', properties, required, additionalProperties: false };
}

function storedType(column: Column): string | string[] {
  if (column.type === 'event_id') return ['string', 'null'];
  // Null is what JSON has for the infinities and NaN, which other programs may have written.
  return column.type === 'number' ? ['number', 'null'] : 'string';
}

function pageSchema(kind: Kind): JsonSchema {
  return {
    type: 'object',
    properties: {
      items: { type: 'array', items: ref(`Stored${kind.title}`) },
      next_cursor: {
        type: ['string', 'null'],
        description: 'Send it as `cursor`, all else alike, for the next page; null at the end.',
      },
    },
    required: ['items', 'next_cursor'],
    additionalProperties: false,
  };
}

const COUNT = { type: 'integer', minimum: 0 };

const Rejection: JsonSchema = {
  type: 'object',
  properties: {
    index: {
      ...COUNT,
      description: 'Place of the record in the request, from 0; blank lines do not count.',
    },
    problem: { type: 'string', description: 'What is wrong with it; never its content.' },
  },
  required: ['index', 'problem'],
  additionalProperties: false,
};

const RECEIPT = {
  accepted: { ...COUNT, description: 'Records that were taken.' },
  rejected_count: { ...COUNT, description: 'Records that were refused for what they are.' },
  rejected: {
    type: 'array',
    items: ref('Rejection'),
    maxItems: MAX_LISTED_REJECTIONS,
    description: `The first ${MAX_LISTED_REJECTIONS} of them.`,
  },
};

const DURABLE = {
  stored: { ...COUNT, description: 'Records of this request that are new.' },
  duplicates: { ...COUNT, description: 'Records whose event_id was stored already.' },
};

const Receipt: JsonSchema = {
  type: 'object',
  properties: RECEIPT,
  required: Object.keys(RECEIPT),
  additionalProperties: false,
};

const DurableReceipt: JsonSchema = {
  type: 'object',
  properties: { ...RECEIPT, ...DURABLE },
  required: [...Object.keys(RECEIPT), ...Object.keys(DURABLE)],
  additionalProperties: false,
};

const Problem: JsonSchema = {
  type: 'object',
  description: 'RFC 9457. A POST whose records were read tells what became of them, too.',
  properties: {
    type: { type: 'string', const: 'about:blank' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    ...RECEIPT,
    ...DURABLE,
  },
  required: ['type', 'title', 'status', 'detail'],
  additionalProperties: false,
};
