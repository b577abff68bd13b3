/**
 * The valibot schema of each kind, built from its columns. It validates what a caller sends and
 * turns it into a {@link ValidRecord}; OpenAPI shows the same schema.
 *
 * Messages name the rule and never the value: they travel to the caller and into logs.
 */

import * as v from 'valibot';
import { EVENT_ID_MAX, isEventId, newEventId } from './event-id.ts';
import { type Column, KINDS, type Kind } from './kinds.ts';
import type { ValidRecord } from './rows.ts';
import { formatTime, parseTime } from './time.ts';

export type RecordSchema = v.GenericSchema<unknown, ValidRecord>;

type Entry = v.GenericSchema<unknown, string | number | undefined>;

function schemaOf(kind: Kind): RecordSchema {
  const entries: Record<string, Entry> = {};
  for (const column of kind.columns) entries[column.name] = entryOf(column);
  return v.pipe(
    v.strictObject(entries, objectMessage),
    v.title(kind.title),
    v.transform(withDefaults),
  );
}

/** What depends on the moment is filled in here, so that the schema itself stays a constant. */
function withDefaults(record: Record<string, string | number | undefined>): ValidRecord {
  record.ts ??= formatTime(Date.now());
  record.event_id ??= newEventId();
  return record as ValidRecord;
}

/** valibot asks one function for three cases; `expected` tells them apart. */
function objectMessage(issue: v.StrictObjectIssue): string {
  if (issue.expected === 'Object') return 'must be an object';
  return issue.expected === 'never' ? 'unknown field' : 'is required';
}

function entryOf(column: Column): Entry {
  switch (column.type) {
    case 'time':
      return v.optional(TIME);
    case 'event_id':
      return v.optional(EVENT_ID);
    case 'number':
      return v.optional(v.pipe(NUMBER, v.description(column.about)), 0);
    case 'text': {
      const described = v.pipe(
        text(column.maxBytes),
        v.description(`${column.about} At most ${column.maxBytes} bytes of UTF-8.`),
      );
      if (!column.required) return v.optional(described, '');
      return v.pipe(described, v.nonEmpty('must not be empty'));
    }
  }
}

const TIME = v.pipe(
  v.string('must be a string'),
  v.description('RFC 3339 with any offset, to the nanosecond. The time of receipt when absent.'),
  v.examples(['2026-11-23T09:41:46.61036+01:00']),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const stored = parseTime(dataset.value);
    if (stored !== undefined) return stored;
    addIssue({ message: 'must be an RFC 3339 time between the years 0001 and 9999' });
    return NEVER;
  }),
);

const EVENT_ID = v.pipe(
  v.string('must be a string'),
  v.check(isEventId, `must be 1 to ${EVENT_ID_MAX} characters from 0x21 to 0x7E`),
  v.description(
    `Idempotency key of 1 to ${EVENT_ID_MAX} visible ASCII characters: a record sent twice is ` +
      'stored once. A UUIDv7 when absent.',
  ),
);

const NUMBER = v.pipe(
  v.number('must be a number'),
  v.finite('must be finite'),
  v.minValue(0, 'must not be negative'),
  // -0 would read back differently from different databases.
  v.transform((value) => (value === 0 ? 0 : value)),
);

function text(maxBytes: number) {
  return v.pipe(
    v.string('must be a string'),
    v.check((value) => value.isWellFormed(), 'must be well-formed Unicode (lone surrogate)'),
    // Postgres cannot store it.
    v.check((value) => !value.includes('\0'), 'must not hold a NUL character'),
    v.check((value) => fits(value, maxBytes), `must be at most ${maxBytes} bytes of UTF-8`),
  );
}

function fits(value: string, maxBytes: number): boolean {
  // No UTF-16 code unit needs more than three bytes: short texts need no counting.
  return value.length * 3 <= maxBytes || Buffer.byteLength(value) <= maxBytes;
}

/** The schemas, by the kind's index. */
export const SCHEMAS: readonly RecordSchema[] = KINDS.map(schemaOf);
