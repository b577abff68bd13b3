import type { Position } from '../../../../records/list.ts';
import type { Statement } from '../../engine/connection.ts';
import { compareTexts } from './order.ts';
import type { Plan } from './plan.ts';
import type { StatementCache } from './statement-cache.ts';

/** Rows between two looks at the clock: a row takes about a microsecond, a look a tenth. */
const ROWS_PER_LOOK = 16;

const HIT = 0;
const ID = 1;
const TS = 2;

/**
 * The rows that have one value in the driving column, in the order of the answer. It knows how far
 * it has looked, whether or not anything there matched.
 */
export class Stream {
  readonly #plan: Plan;
  readonly #value: string | null;
  readonly #statements: StatementCache;
  readonly #found: Position[] = [];
  #reach: Position | undefined;
  #atEnd = false;

  constructor(plan: Plan, value: string | null, statements: StatementCache) {
    this.#plan = plan;
    this.#value = value;
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
   * Looks further: until so many more rows matched, past the deadline, or to the end; at a few
   * rows at least, so that each call gets ahead.
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
    }
    let rest: Statement;
    if (order === 'desc') rest = this.#range('>=', since, earlier(from.ts, until));
    else if (compareTexts(from.ts, since) >= 0) rest = this.#range('>', from.ts, until);
    else rest = this.#range('>=', since, until);
    this.#atEnd = this.#scan(rest, wanted, deadline);
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
      if (this.#value === null) statement.bindNull(parameter++);
      else statement.bindText(parameter++, this.#value);
    }
    for (const bound of bounds) statement.bindText(parameter++, bound);
    return statement;
  }

  /** True when the statement was stepped to its end. */
  #scan(statement: Statement, wanted: number, deadline: number): boolean {
    try {
      for (let rows = 1; this.#found.length < wanted; rows++) {
        if (!statement.step()) return true;
        if (statement.double(HIT) === 1) {
          this.#reach = position(statement);
          this.#found.push(this.#reach);
        }
        if (rows % ROWS_PER_LOOK === 0 && performance.now() >= deadline) {
          this.#reach = position(statement);
          return false;
        }
      }
      return false;
    } finally {
      statement.reset();
    }
  }
}

function position(statement: Statement): Position {
  return { ts: statement.text(TS), id: statement.text(ID) };
}

function earlier(a: string, b: string | undefined): string {
  return b !== undefined && compareTexts(b, a) < 0 ? b : a;
}
