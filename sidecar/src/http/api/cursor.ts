import { createHash } from 'node:crypto';
import type { Kind } from '../../records/kinds.ts';
import type { Order, Position } from '../../records/list.ts';
import { isStoredTime } from '../../records/time.ts';

/** Says how the rest is to be read. */
const VERSION = 1;
/** Other programs may have written longer texts than times are. */
const MAX_TS_CHARS = 1_000;
/** For that many, each escaped; a request's line takes twice as much. */
const FORM = /^[A-Za-z0-9_-]{1,8500}$/;

/** What a list asked for, but for what may change from page to page. */
export interface Asked {
  readonly kind: Kind;
  readonly filters: ReadonlyMap<string, readonly string[]>;
  readonly order: Order;
  /** As they were sent: a duration means another moment on each page, and the same question. */
  readonly since: string | undefined;
  readonly until: string | undefined;
}

/** Where a list goes on. */
export interface Cursor {
  readonly after: Position;
  /** The moments that the first page meant. */
  readonly since: string | undefined;
  readonly until: string | undefined;
}

/** Makes the text that callers hand back; what it holds is nobody's business but ours. */
export function encodeCursor(asked: Asked, cursor: Cursor): string {
  const { after, since, until } = cursor;
  const fields = [VERSION, digest(asked), after.ts, after.id, since ?? null, until ?? null];
  return Buffer.from(JSON.stringify(fields)).toString('base64url');
}

/**
 * @returns what the text says; `foreign` when it belongs to another list, undefined when it is no
 * cursor of ours
 */
export function decodeCursor(asked: Asked, text: string): Cursor | 'foreign' | undefined {
  if (!FORM.test(text)) return undefined;
  let fields: unknown;
  try {
    fields = JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    return undefined;
  }
  if (!Array.isArray(fields) || fields.length !== 6 || fields[0] !== VERSION) return undefined;
  const [, bound, ts, id, since, until] = fields as unknown[];
  if (!isTs(ts) || !isId(id)) return undefined;
  if ((since !== null && !isTime(since)) || (until !== null && !isTime(until))) return undefined;
  if (bound !== digest(asked)) return 'foreign';
  return { after: { ts, id }, since: since ?? undefined, until: until ?? undefined };
}

function isTime(value: unknown): value is string {
  return typeof value === 'string' && isStoredTime(value);
}

/** The place is a row's own, and another program may have written any text that UTF-8 can say. */
function isTs(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_TS_CHARS && value.isWellFormed();
}

function isId(value: unknown): value is string {
  // Another program may have chosen one below 0.
  if (typeof value !== 'string' || !/^-?\d{1,19}$/.test(value)) return false;
  return BigInt.asIntN(64, BigInt(value)) === BigInt(value);
}

/** Short, since it guards against mistakes and not against forgery: a cursor opens nothing. */
function digest({ kind, filters, order, since, until }: Asked): string {
  const sorted = [...filters].map(([name, values]) => [name, [...values].sort()]).sort();
  const text = JSON.stringify([kind.name, sorted, order, since ?? null, until ?? null]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}
