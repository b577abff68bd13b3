import type { Position } from '../../../../records/list.ts';
import type { Statement } from '../../engine/connection.ts';
import { comparePositions, compareTexts } from './order.ts';
import type { Plan } from './plan.ts';
import type { StatementCache } from './statement-cache.ts';

/** Columns of a scan. */
export const HIT = 0;
const ID = 1;
const TS = 2;

/**
 * The rows that have one value in the driving column, in the order of the answer. It knows how far
 * it has looked, whether or not anything there matched.
 */
export class Stream {
  readonly #plan: Plan;
  /** In the driving column; null stands for NULL. */
  readonly value: string | null;
  readonly #statements: StatementCache;
  readonly #found: Position[] = [];
  #reach: Position | undefined;
  #atEnd = false;

  constructor(plan: Plan, value: string | null, statements: StatementCache) {
    this.#plan = plan;
    this.value = value;
    this.#statements = statements;
    this.#reach = plan.query.after;
  }

  /** Matching rows so far, in order. */
  get found(): readonly Position[] {
    return this.#found;
  }

  /** Every row up to this place has been looked at; undefined before the first. */
  get reach(): Position | undefined {
    return this.#reach;
  }

  /** No row is left to look at. */
  get atEnd(): boolean {
    return this.#atEnd;
  }

  /**
   * Looks further: until so many more rows matched, past the deadline, or to the end; at one row at
   * least, so that each call gets ahead.
   */
  advance(matches: number, deadline: number): void {
    const wanted = this.#found.length + matches;
    const { order, since = '', until } = this.#plan.query;
    const from = this.#reach;
    if (from === undefined) {
      this.#atEnd = this.#scan(this.#range('>=', since, until), wanted, deadline);
      return;
    }
    const inRange =
      compareTexts(from.ts, since) >= 0 &&
      (until === undefined || compareTexts(from.ts, until) < 0);
    // (ts, id) < (?, ?) would seek by ts alone and walk through all rows that share it.
    if (inRange) {
      const ties = this.#bind(this.#plan.tieSql, from.ts, from.id);
      if (!this.#scan(ties, wanted, deadline)) return;
      // To seek what follows may take as long as a row.
      if (this.#reach !== from && performance.now() >= deadline) return;
    }
    let rest: Statement;
    if (order === 'desc') rest = this.#range('>=', since, earlier(from.ts, until));
    else if (compareTexts(from.ts, since) >= 0) rest = this.#range('>', from.ts, until);
    else rest = this.#range('>=', since, until);
    this.#atEnd = this.#scan(rest, wanted, deadline);
  }

  /**
   * A row was inserted at a place of the list: found as well, if this has looked past there; else
   * it is met later.
   */
  admit(at: Position): void {
    const { order } = this.#plan.query;
    const reach = this.#reach;
    const passed = reach !== undefined && comparePositions(at, reach, order) <= 0;
    if (!passed && !this.#atEnd) return;
    this.#found.splice(this.#countUpTo(at), 0, at);
  }

  /** Forgets the rows up to a place. */
  drop(place: Position): void {
    this.#found.splice(0, this.#countUpTo(place));
  }

  /** How many of the rows found stand at or before a place. */
  #countUpTo(place: Position): number {
    let [low, high] = [0, this.#found.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const at = this.#found[middle] as Position;
      if (comparePositions(at, place, this.#plan.query.order) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #range(from: '>=' | '>', lower: string, upper: string | undefined): Statement {
    const sql = this.#plan.rangeSql(from, upper !== undefined);
    return upper === undefined ? this.#bind(sql, lower) : this.#bind(sql, lower, upper);
  }

  #bind(sql: string, ...bounds: string[]): Statement {
    const statement = this.#statements.get(sql);
    let parameter = 1;
    for (const value of this.#plan.residualValues) statement.bindText(parameter++, value);
    if (this.#plan.driven) {
      if (this.value === null) statement.bindNull(parameter++);
      else statement.bindText(parameter++, this.value);
    }
    for (const bound of bounds) statement.bindText(parameter++, bound);
    return statement;
  }

  /**
   * Looks at the clock at each row: a row takes about a microsecond and a look a tenth of it, but
   * one whose page is not in the cache takes a read of the disk or several.
   *
   * @returns true when the statement was stepped to its end
   */
  #scan(statement: Statement, wanted: number, deadline: number): boolean {
    try {
      while (this.#found.length < wanted) {
        if (!statement.step()) return true;
        const late = performance.now() >= deadline;
        const hit = statement.double(HIT) === 1;
        if (!late && !hit) continue;
        this.#reach = position(statement);
        if (hit) this.#found.push(this.#reach);
        if (late) return false;
      }
      return false;
    } finally {
      statement.reset();
    }
  }
}

export function position(statement: Statement): Position {
  return { ts: statement.text(TS), id: statement.text(ID) };
}

function earlier(a: string, b: string | undefined): string {
  return b !== undefined && compareTexts(b, a) < 0 ? b : a;
}
