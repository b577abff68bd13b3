import type { Column, Kind } from '../../records/kinds.ts';
import { MAX_HEADER_BYTES, MAX_HEADERS } from '../limits.ts';
import { PROBLEM_TYPE } from '../problem.ts';
import {
  DEFAULT_PAGE_ITEMS,
  DEFAULT_WAIT_SECONDS,
  MAX_BODY_BYTES,
  MAX_FILTER_VALUES,
  MAX_PAGE_ITEMS,
  MAX_RECORDS,
  MAX_WAIT_SECONDS,
} from './limits.ts';
import { filterNames } from './list-parameters.ts';
import { JSON_MEDIA_TYPE, NDJSON_MEDIA_TYPE, SQLITE_MEDIA_TYPE } from './media-type.ts';
import { type JsonSchema, ref } from './openapi-schemas.ts';

/** An Operation Object of OpenAPI 3.1. */
export type Operation = Readonly<Record<string, unknown>>;

/** On every answer. */
const COMMON_HEADERS = { 'X-Request-Id': { $ref: '#/components/headers/RequestId' } };

/** Problems that any request may meet, whatever its route. */
const ALWAYS = {
  400: problem('The request cannot be understood.'),
  408: problem('The request did not arrive in time.'),
  417: problem('The Expect header asks for more than 100-continue.'),
  421: problem('The Host header is missing, repeated, or it or the target names another host.'),
  431: problem(
    `The request's line and headers exceed ${MAX_HEADER_BYTES} bytes, or its headers are more than ${MAX_HEADERS}.`,
  ),
  500: problem('An internal error.'),
};

const RETRY = { 'Retry-After': { $ref: '#/components/headers/RetryAfter' } };

export function ingestOperation(kind: Kind): Operation {
  return {
    operationId: `record${kind.title}s`,
    summary: `Record ${kind.title} records`,
    description: [
      'Takes one record, an array of them, or one a line. The valid records of a request are',
      'queued all or none and acknowledged from memory; the others are rejected one by one.',
      `A body may have ${MAX_BODY_BYTES} bytes and ${MAX_RECORDS} records.`,
    ].join(' '),
    parameters: [{ $ref: '#/components/parameters/Prefer' }],
    requestBody: {
      required: true,
      content: {
        [JSON_MEDIA_TYPE]: {
          schema: { oneOf: [ref(kind.title), { type: 'array', items: ref(kind.title) }] },
          example: exampleOf(kind),
        },
        [NDJSON_MEDIA_TYPE]: {
          schema: { type: 'string', description: 'One record a line.' },
          example: `${JSON.stringify(exampleOf(kind))}\n`,
        },
      },
    },
    responses: {
      201: {
        ...json(ref('DurableReceipt'), 'All valid records are durable.'),
        headers: {
          'Preference-Applied': {
            required: true,
            schema: { type: 'string', pattern: '^wait=\\d+$' },
          },
          ...COMMON_HEADERS,
        },
      },
      202: json(ref('Receipt'), 'The valid records are queued.'),
      ...ALWAYS,
      400: problem('The body cannot be understood, or none of its records is valid.'),
      413: problem(
        'The body has too many bytes or too many records, or holds more than the whole queue. Nothing was taken; send the records in several requests.',
      ),
      415: problem('The body is of another type or encoding. The answer says what to send.'),
      503: problem(
        'No room, or shutting down; try again later. Nothing was queued, unless it tells what is stored: a shutdown cut the wait short. Send all records again then, with the same event_ids.',
        RETRY,
      ),
    },
  };
}

export function listOperation(kind: Kind): Operation {
  return {
    operationId: `list${kind.title}s`,
    summary: `List ${kind.title} records`,
    description: [
      'Answers one page, ordered by ts and id. The work that a page may cost is bounded: where a',
      'filter matches little in a large table, a page may be short or empty and still have a',
      'next_cursor; only a null one is the end. A filter that is repeated matches any of its',
      `values; there may be ${MAX_FILTER_VALUES} of them in all, and ${MAX_HEADER_BYTES} bytes of request line and headers.`,
    ].join(' '),
    parameters: [
      ...filterNames(kind).map((name) => filterParameter(kind, name)),
      ...['since', 'until', 'order', 'limit', 'cursor'].map((name) => ({
        $ref: `#/components/parameters/${name}`,
      })),
    ],
    responses: {
      200: json(ref(`${kind.title}Page`), 'One page.'),
      ...ALWAYS,
      400: problem('A parameter is unknown or wrong; the problem names it.'),
      503: problem('Storage is down.', RETRY),
    },
  };
}

export const backupOperation: Operation = {
  operationId: 'backUp',
  summary: 'A copy of the SQLite database',
  description: [
    'The file with every record that is stored at this moment, while recording goes on. Whoever got as',
    'many bytes as Content-Length tells has a whole copy; one that cannot be finished ends with its',
    'connection. One at a time.',
  ].join(' '),
  responses: {
    200: {
      description: 'The database.',
      headers: COMMON_HEADERS,
      content: { [SQLITE_MEDIA_TYPE]: {} },
    },
    ...ALWAYS,
    400: problem('There are no parameters.'),
    501: problem(
      'The records are in another database, which has tools of its own; or storage is off.',
    ),
    503: problem('Storage is down, or another backup is being made.', RETRY),
  },
};

export const openApiOperation: Operation = {
  operationId: 'describeApi',
  summary: 'This document',
  responses: { 200: json({ type: 'object' }, 'OpenAPI 3.1.'), ...ALWAYS },
};

export const COMMON_PARAMETERS = {
  Prefer: {
    name: 'Prefer',
    in: 'header',
    description: [
      '`wait=N` (RFC 7240) answers once the records are durable, or after N seconds.',
      `At most ${MAX_WAIT_SECONDS}; a bare \`wait\` means ${DEFAULT_WAIT_SECONDS}.`,
    ].join(' '),
    schema: { type: 'string' },
    example: 'wait=5',
  },
  since: moment('since', 'Inclusive.'),
  until: moment('until', 'Exclusive.'),
  order: query('order', 'By ts, then by id.', { enum: ['asc', 'desc'], default: 'desc' }),
  limit: query('limit', 'Most items of the page.', {
    type: 'integer',
    minimum: 1,
    maximum: MAX_PAGE_ITEMS,
    default: DEFAULT_PAGE_ITEMS,
  }),
  cursor: query('cursor', 'The next_cursor of the page before; all but limit must be as it was.', {
    type: 'string',
  }),
};

function moment(name: string, bound: string) {
  const form =
    'An RFC 3339 time, or a duration back from now such as 24h, 30d or 1h30m; units are s, m, h, d, w.';
  return { ...query(name, `${form} ${bound}`, { type: 'string' }), example: '24h' };
}

function query(name: string, description: string, schema: JsonSchema) {
  return { name, in: 'query', description, schema };
}

function filterParameter(kind: Kind, name: string) {
  const column = kind.columns.find((one) => one.name === name) as Column;
  const schema = { type: 'array', items: { type: 'string' } };
  return { ...query(name, column.about, schema), style: 'form', explode: true };
}

function exampleOf(kind: Kind): Record<string, string | number> {
  return Object.fromEntries(kind.columns.map((column) => [column.name, column.example]));
}

function json(schema: JsonSchema, description: string) {
  return { description, headers: COMMON_HEADERS, content: { [JSON_MEDIA_TYPE]: { schema } } };
}

function problem(description: string, headers: JsonSchema = {}) {
  return {
    description,
    headers: { ...headers, ...COMMON_HEADERS },
    content: { [PROBLEM_TYPE]: { schema: ref('Problem') } },
  };
}
