/**
 * The search for the rows of a page, which goes on from slice to slice. The streams of a filter's
 * values are merged: a row is certain once every stream has looked past it; the least advanced one
 * sets how far that is. To begin a hundred streams may take as many reads of the disk, so they are
 * begun over several slices, and kept with what they have found.
 */

import type { Position } from '../../../../records/list.ts';
import type { Statement } from '../../engine/connection.ts';
import { comparePositions, FIRST_ID, startOf } from './order.ts';
import type { Plan } from './plan.ts';
import type { StatementCache } from './statement-cache.ts';
import { HIT, position, Stream } from './stream.ts';

/** Columns of {@link Plan.arrivedSql} beyond those of a scan. */
const VALUE = 3;

/** As many as the recorder puts into a batch; to look at them takes some milliseconds. */
const MOST_ARRIVED = 10_000n;

/** Places that a search may keep between slices; one takes some hundred bytes. */
const MOST_KEPT = 8_192;

export interface Found {
  /** Places of rows that match, in order, at most as many as asked for. */
  readonly found: readonly Position[];
  /** Everything up to here was looked at; null when no row is left beyond those found. */
  readonly next: Position | null;
}

export class Search {
  readonly #plan: Plan;
  readonly #statements: StatementCache;
  readonly #streams: readonly Stream[];
  #after: Position | undefined;
  #begun = 0;
  /** Rows with a higher id arrived after the last slice. Only asked for where slices share streams. */
  #lastId: string | undefined;

  constructor(plan: Plan, statements: StatementCache) {
    this.#plan = plan;
    this.#statements = statements;
    this.#streams = plan.streams.map((value) => new Stream(plan, value, statements));
    this.#after = plan.query.after;
    if (plan.streams.length > 1) this.#lastId = this.#highestId();
  }

  /** Whether to go on with this search is worth more than to begin one anew. */
  get isWorthKeeping(): boolean {
    let places = 0;
    for (const { found } of this.#streams) places += found.length;
    return this.#streams.length > 1 && places <= MOST_KEPT;
  }

  /**
   * Adds the rows that were inserted since the last slice, where a stream has looked past their
   * place: a client may have stored them before it asked for this page.
   *
   * @returns false when they are so many that it is better to begin anew
   */
  catchUp(): boolean {
    const from = this.#lastId;
    const to = this.#highestId();
    if (from === undefined || from === to) return true;
    if (BigInt(to) - BigInt(from) > MOST_ARRIVED) return false;
    const byValue = new Map(this.#streams.map((stream) => [stream.value, stream]));
    const statement = this.#statements.get(this.#plan.arrivedSql);
    let parameter = 1;
    for (const value of this.#plan.residualValues) statement.bindText(parameter++, value);
    statement.bindText(parameter, from);
    try {
      while (statement.step()) {
        if (statement.double(HIT) !== 1) continue;
        const stream = byValue.get(statement.isNull(VALUE) ? null : statement.text(VALUE));
        if (stream !== undefined) this.#admit(stream, position(statement));
      }
    } finally {
      statement.reset();
    }
    this.#lastId = to;
    return true;
  }

  /**
   * Looks for the next rows until the deadline, past which it begins one stream more or advances
   * one by a row, so that each slice gets ahead.
   */
  advance(limit: number, deadline: number): Found {
    const { order } = this.#plan.query;
    const streams = this.#streams;
    // One more than the limit tells whether there is a next page.
    const even = Math.ceil((limit * 2) / streams.length) + 1;
    const share = Math.min(limit + 1, even, Math.ceil(MOST_KEPT / streams.length));
    let idle = true;
    for (; this.#begun < streams.length; this.#begun++) {
      const now = performance.now();
      if (!idle && now >= deadline) return { found: [], next: this.#after ?? startOf(order) };
      // One in which little matches must not take the time of all.
      const part = (deadline - now) / (streams.length - this.#begun);
      streams[this.#begun]?.advance(share, now + part);
      idle = false;
    }
    let least = leastAdvanced(streams, order);
    while (least !== undefined && (idle || performance.now() < deadline)) {
      if (certainRows(streams, least.reach, order).length > limit) break;
      least.advance(share, deadline);
      least = leastAdvanced(streams, order);
      idle = false;
    }
    const certain = certainRows(streams, least?.reach, order);
    certain.sort((a, b) => comparePositions(a, b, order));
    if (certain.length <= limit) return { found: certain, next: least?.reach ?? null };
    const found = certain.slice(0, limit);
    return { found, next: found.at(-1) ?? null };
  }

  /** Everything up to this place was answered. */
  goOnFrom(place: Position): void {
    this.#after = place;
    for (const stream of this.#streams) stream.drop(place);
  }

  #admit(stream: Stream, at: Position): void {
    const { order, since = '', until } = this.#plan.query;
    const after = this.#after ?? startOf(order);
    if (comparePositions(at, after, order) <= 0) return;
    const first = { ts: since, id: FIRST_ID };
    if (comparePositions(at, first, 'asc') < 0) return;
    if (until !== undefined && comparePositions(at, { ts: until, id: FIRST_ID }, 'asc') >= 0)
      return;
    stream.admit(at);
  }

  #highestId(): string {
    const statement: Statement = this.#statements.get(this.#plan.highestIdSql);
    try {
      statement.step();
      return statement.isNull(0) ? FIRST_ID : statement.text(0);
    } finally {
      statement.reset();
    }
  }
}

/** Matches up to a place that every stream has looked past; all of them when none has rows left. */
function certainRows(
  streams: readonly Stream[],
  frontier: Position | undefined,
  order: Plan['query']['order'],
): Position[] {
  const rows: Position[] = [];
  for (const { found } of streams) {
    for (const at of found) {
      if (frontier !== undefined && comparePositions(at, frontier, order) > 0) break;
      rows.push(at);
    }
  }
  return rows;
}

/** Of the streams that have rows left, the one that has looked the least far. */
function leastAdvanced(
  streams: readonly Stream[],
  order: Plan['query']['order'],
): Stream | undefined {
  let least: Stream | undefined;
  for (const stream of streams) {
    if (stream.atEnd || stream.reach === undefined) continue;
    if (least?.reach === undefined || comparePositions(stream.reach, least.reach, order) < 0) {
      least = stream;
    }
  }
  return least;
}
