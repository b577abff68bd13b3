import type { Recorder } from '../../recorder/recorder.ts';
import type { Kind } from '../../records/kinds.ts';
import type { Exchange } from '../exchange.ts';
import type { Problem } from '../problem.ts';
import type { Activity } from './activity.ts';
import { announcedProblem, readBody } from './body.ts';
import { type BodyBudget, Reservation } from './body-budget.ts';
import type { Taken } from './intake.ts';
import { readJson } from './json-body.ts';
import { mediaType } from './media-type.ts';
import { readNdjson } from './ndjson-body.ts';
import { waitSeconds } from './prefer.ts';
import { accepted, noneValid, refused, settled } from './receipt.ts';
import type { RefusedBodies } from './refused-bodies.ts';
import type { Turns } from './turns.ts';
import { waitFor } from './wait.ts';

/** What the API asks of the recorder. */
export type Intaker = Pick<Recorder, 'submit' | 'refuse' | 'isClosing'>;

export interface IngestParts {
  readonly recorder: Intaker;
  readonly budget: BodyBudget;
  readonly turns: Turns;
  readonly activity: Activity;
  readonly refusedBodies: RefusedBodies;
}

const HAS_QUERY: Problem = { status: 400, detail: 'a POST takes no query parameters' };

/** Serves POST of one kind: reads, validates, queues, and waits where the caller prefers it. */
export function ingest(kind: Kind, exchange: Exchange, parts: IngestParts): void | Promise<void> {
  const { incoming } = exchange;
  const type = mediaType(incoming);
  if (typeof type !== 'string') return exchange.problem(type);
  const { budget, turns, activity, refusedBodies } = parts;
  if (incoming.url?.includes('?') === true) {
    refusedBodies.add('query');
    return exchange.problem(HAS_QUERY);
  }
  const wait = waitSeconds(incoming.headers.prefer);

  const reservation = new Reservation(budget);
  activity.begin();
  let isReading = true;
  const leave = () => {
    if (isReading) activity.end();
    isReading = false;
    reservation.release();
  };
  const take = (taken: Taken | Problem) => {
    leave();
    if (!('status' in taken)) return queue(kind, exchange, parts, taken, wait);
    refusedBodies.addRead(taken.status);
    exchange.problem(taken);
  };
  const abandon = (error: unknown) => {
    leave();
    throw error;
  };

  const problem = announcedProblem(exchange);
  if (problem !== undefined) return take(problem);
  exchange.continue();
  if (type === 'ndjson') {
    return readNdjson(kind, exchange, reservation, wait > 0, turns).then(take, abandon);
  }
  // By callbacks all the way: most requests hold one record, and a promise is a fifth of its cost.
  readBody(exchange, reservation, (body) => {
    try {
      const read = Buffer.isBuffer(body)
        ? readJson(kind, body, reservation, wait > 0, turns)
        : body;
      return read instanceof Promise ? read.then(take, abandon) : take(read);
    } catch (error) {
      return abandon(error);
    }
  });
}

/** All in one turn of the event loop: the account of the records balances at every moment. */
function queue(
  kind: Kind,
  exchange: Exchange,
  { recorder }: IngestParts,
  taken: Taken,
  wait: number,
): void {
  const { rows, rejectedCount } = taken;
  if (rejectedCount > 0) recorder.refuse(kind, rejectedCount);
  if (rows.count === 0) {
    if (rejectedCount === 0) accepted(exchange, taken);
    else noneValid(exchange, taken);
    return;
  }
  const submitted = recorder.submit(kind, rows, wait > 0);
  if (submitted.outcome !== 'queued') {
    refused(exchange, taken, submitted);
  } else if (submitted.settled === undefined) {
    accepted(exchange, taken);
  } else {
    const { settled: promise, forget = () => {} } = submitted;
    waitFor({ promise, forget }, wait, exchange.outgoing, (outcome) =>
      exchange.run(() => {
        if (outcome === undefined) accepted(exchange, taken);
        else settled(exchange, taken, outcome, wait);
      }),
    );
  }
}
