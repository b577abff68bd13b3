import type { Recorder } from '../../recorder/recorder.ts';
import type { Kind } from '../../records/kinds.ts';
import type { Exchange } from '../exchange.ts';
import type { Problem } from '../problem.ts';
import type { Activity } from './activity.ts';
import { admitAnnounced, readBody } from './body.ts';
import { type BodyBudget, Reservation } from './body-budget.ts';
import type { Taken } from './intake.ts';
import { readJson } from './json-body.ts';
import { mediaType } from './media-type.ts';
import { readNdjson } from './ndjson-body.ts';
import { waitSeconds } from './prefer.ts';
import { accepted, noneValid, refused, settled } from './receipt.ts';
import type { Turns } from './turns.ts';
import { waitFor } from './wait.ts';

/** What the API asks of the recorder. */
export type Intaker = Pick<Recorder, 'submit' | 'refuse'>;

export interface IngestParts {
  readonly recorder: Intaker;
  readonly budget: BodyBudget;
  readonly turns: Turns;
  readonly activity: Activity;
}

const HAS_QUERY: Problem = { status: 400, detail: 'a POST takes no query parameters' };

/**
 * Serves POST of one kind: reads, validates, queues, and waits where the caller prefers it.
 *
 * The way of a single record has one await, for its body: each more costs one part in fifty.
 */
export async function ingest(
  kind: Kind,
  exchange: Exchange,
  parts: IngestParts,
): Promise<Response> {
  const { recorder, budget, turns, activity } = parts;
  const type = mediaType(exchange.incoming);
  if (typeof type !== 'string') return exchange.problem(type);
  if (exchange.incoming.url?.includes('?') === true) return exchange.problem(HAS_QUERY);
  const wait = waitSeconds(exchange.incoming.headers.prefer);

  let taken: Taken | Problem | undefined;
  const reservation = new Reservation(budget);
  activity.begin();
  try {
    taken = admitAnnounced(exchange, reservation);
    if (taken === undefined) {
      exchange.continue();
      if (type === 'json') {
        const body = await readBody(exchange, reservation);
        const read = Buffer.isBuffer(body) ? readJson(kind, body, wait > 0, turns) : body;
        taken = read instanceof Promise ? await read : read;
      } else {
        taken = await readNdjson(kind, exchange, reservation, wait > 0, turns);
      }
    }
  } finally {
    reservation.release();
    activity.end();
  }
  if ('status' in taken) return exchange.problem(taken);

  // All in one turn of the event loop: the account of the records balances at every moment.
  const { rows, rejectedCount } = taken;
  if (rejectedCount > 0) recorder.refuse(kind, rejectedCount);
  if (rows.count === 0) {
    return rejectedCount === 0 ? accepted(exchange, taken) : noneValid(exchange, taken);
  }
  const submitted = recorder.submit(kind, rows, wait > 0);
  if (submitted.outcome !== 'queued') return refused(exchange, taken, submitted);
  if (submitted.settled === undefined) return accepted(exchange, taken);

  const outcome = await waitFor(submitted.settled, wait, exchange.outgoing);
  if (outcome === undefined) return accepted(exchange, taken);
  return settled(exchange, taken, outcome, wait);
}
