/**
 * The three kinds of record. This table is the only place that knows their columns: validation,
 * DDL, INSERT, the row format, list filters, metrics' labels and OpenAPI are all derived from it.
 */

/** A column of text. Limits count UTF-8 bytes, since that is what the databases count. */
export interface TextColumn {
  readonly name: string;
  readonly type: 'text';
  readonly maxBytes: number;
  /** Must be present and not empty. */
  readonly required: boolean;
  /** May be used as an equality filter of a list. */
  readonly filter: boolean;
  /** Has an index on (column, ts), so that a list filtered by it does not scan. */
  readonly indexed: boolean;
  readonly about: string;
  readonly example: string;
}

/** A column of double-precision numbers: finite, not negative, 0 when absent. */
export interface NumberColumn {
  readonly name: string;
  readonly type: 'number';
  readonly about: string;
  readonly example: number;
}

/** When it happened: see time.ts for the one form in which it is stored. */
export interface TimeColumn {
  readonly name: 'ts';
  readonly type: 'time';
  readonly about: string;
  readonly example: string;
}

/** The idempotency key: see event-id.ts. Unique where not null. */
export interface EventIdColumn {
  readonly name: 'event_id';
  readonly type: 'event_id';
  readonly about: string;
  readonly example: string;
}

export type Column = TextColumn | NumberColumn | TimeColumn | EventIdColumn;

export type KindName = 'audit_event' | 'sandbox_event' | 'cost_snapshot';

export interface Kind {
  readonly name: KindName;
  /** Position in {@link KINDS}; the tag of this kind in the row format and in counter arrays. */
  readonly index: number;
  readonly table: string;
  /** The resource's name below /v1. */
  readonly path: string;
  /** Schema name in OpenAPI. */
  readonly title: string;
  /** In the order of the table, without the leading `id`. */
  readonly columns: readonly Column[];
}

/** MySQL's TEXT holds 65,535 bytes; the same limit everywhere keeps the stores interchangeable. */
const LONG_TEXT = 65_535;
const SHORT_TEXT = 1_024;

type TextOptions = Partial<Pick<TextColumn, 'maxBytes' | 'required' | 'filter' | 'indexed'>>;

function text(name: string, about: string, example: string, options: TextOptions = {}): TextColumn {
  const defaults = { maxBytes: SHORT_TEXT, required: false, filter: true, indexed: false };
  return { name, type: 'text', about, example, ...defaults, ...options };
}

function number(name: string, about: string, example: number): NumberColumn {
  return { name, type: 'number', about, example };
}

const TS: TimeColumn = {
  name: 'ts',
  type: 'time',
  about: 'When it happened. The time of receipt when absent.',
  example: '2026-11-23T09:41:46.610360000Z',
};

const EVENT_ID: EventIdColumn = {
  name: 'event_id',
  type: 'event_id',
  about: 'Idempotency key: a record sent twice is stored once. A UUIDv7 when absent.',
  example: '019ab0f2-6c3a-7d1e-9b52-0f4f6a1c2d3e',
};

const SANDBOX = text('sandbox_id', 'The sandbox concerned.', 'sbx-1', { indexed: true });

export const AUDIT_EVENT: Kind = {
  name: 'audit_event',
  index: 0,
  table: 'audit_events',
  path: 'audit-events',
  title: 'AuditEvent',
  columns: [
    TS,
    text('actor', 'Who did it.', 'ana@example.com', { indexed: true }),
    text('action', 'What was done.', 'create', { required: true }),
    text('resource', 'What it was done to.', 'sandbox', { required: true }),
    SANDBOX,
    text('details', 'Anything more, as text.', 'template=python', {
      maxBytes: LONG_TEXT,
      filter: false,
    }),
    EVENT_ID,
  ],
};

export const SANDBOX_EVENT: Kind = {
  name: 'sandbox_event',
  index: 1,
  table: 'sandbox_events',
  path: 'sandbox-events',
  title: 'SandboxEvent',
  columns: [
    TS,
    { ...SANDBOX, required: true },
    text('sandbox_name', 'Its name.', 'notebook-1'),
    text('namespace', 'The Kubernetes namespace it lives in.', 'team-a'),
    text('phase', 'The phase it entered.', 'Running', { required: true }),
    text('reason', 'Why, in one word.', 'Restarted'),
    text('message', 'Why, in full.', 'restarted by ana@example.com', {
      maxBytes: LONG_TEXT,
      filter: false,
    }),
    EVENT_ID,
  ],
};

export const COST_SNAPSHOT: Kind = {
  name: 'cost_snapshot',
  index: 2,
  table: 'cost_snapshots',
  path: 'cost-snapshots',
  title: 'CostSnapshot',
  columns: [
    TS,
    { ...SANDBOX, required: true },
    text('namespace', 'The Kubernetes namespace it lives in.', 'team-a'),
    number('cpu_hours', 'CPU used since the last snapshot, in core hours.', 0.25),
    number('mem_gb_hours', 'Memory used since the last snapshot, in GB hours.', 0.5),
    number('estimated_usd', 'What that cost, in US dollars.', 0.0123),
    EVENT_ID,
  ],
};

export const KINDS: readonly Kind[] = [AUDIT_EVENT, SANDBOX_EVENT, COST_SNAPSHOT];
