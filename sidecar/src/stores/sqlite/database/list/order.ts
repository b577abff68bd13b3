import type { Order, Position } from '../../../../records/list.ts';

/** Compares texts as SQLite does: in the order of their UTF-8 bytes, which is that of code points. */
export function compareTexts(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) return rank(left) - rank(right);
  }
  return a.length - b.length;
}

/** The lowest id that a row can have. */
export const FIRST_ID = '-9223372036854775808';

/**
 * The place before all rows: what a list that has not got to a row yet goes on from. In descending
 * order the text begins with the last code point there is, which no time begins with.
 */
export function startOf(order: Order): Position {
  return order === 'asc'
    ? { ts: '', id: FIRST_ID }
    : { ts: '\u{10ffff}', id: '9223372036854775807' };
}

/** Compares places of a list: negative when `a` comes first in the order. */
export function comparePositions(a: Position, b: Position, order: Order): number {
  const ascending = compareTexts(a.ts, b.ts) || compareIds(a.id, b.id);
  return order === 'asc' ? ascending : -ascending;
}

function compareIds(a: string, b: string): number {
  const left = BigInt(a);
  const right = BigInt(b);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Surrogates stand for code points above all that one UTF-16 unit holds. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
