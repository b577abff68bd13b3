import type { Column, Kind } from './kinds.ts';

/** The newest-first or oldest-first order of a list: by ts, then by id. */
export type Order = 'asc' | 'desc';

/** A place between two rows of a list: everything up to and including this row was seen. */
export interface Position {
  /** As it stands in the row. */
  readonly ts: string;
  /** Decimal digits: ids are 64-bit and do not fit a JavaScript number. */
  readonly id: string;
}

/** What a list asks of a store. All texts are compared by bytes. */
export interface ListQuery {
  readonly kind: Kind;
  /** Equality filters by column name: a row passes where each column has one of its values. */
  readonly filters: ReadonlyMap<string, readonly string[]>;
  /** Stored form, inclusive. */
  readonly since?: string;
  /** Stored form, exclusive. */
  readonly until?: string;
  readonly order: Order;
  /** Most rows to answer, at least 1. */
  readonly limit: number;
  /** Answer only what comes after this place in the order. */
  readonly after?: Position;
}

/** The filtered column whose index narrows most, by which a list is read; often there is none. */
export function drivingColumn(query: ListQuery): Column | undefined {
  const filtered = query.kind.columns.filter((column) => query.filters.has(column.name));
  return (
    filtered.find((column) => column.type === 'event_id') ??
    filtered.find((column) => column.name === 'sandbox_id') ??
    filtered.find((column) => column.type === 'text' && column.indexed)
  );
}

/** A row as the API answers it: `id` as decimal digits, texts never null, event_id perhaps. */
export type Item = Readonly<Record<string, string | number | null>>;

/**
 * About this many bytes of texts make a page full, whatever the limit: it is held in memory more than
 * once on its way, and 1,000 records with details at their limit would be 65 MB.
 */
export const PAGE_BYTES = 4 * 1_024 * 1_024;

export interface Page {
  readonly items: readonly Item[];
  /**
   * Where the next page goes on, or null at the end. The work of a page is bounded, so a page may
   * be short, or empty, and still have a next one.
   */
  readonly next: Position | null;
}
