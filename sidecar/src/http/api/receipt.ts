import type { Settled, Submitted } from '../../recorder/submission.ts';
import type { Exchange } from '../exchange.ts';
import type { Rejection, Taken } from './intake.ts';
import { MAX_LISTED_REJECTIONS, RETRY_AFTER_SECONDS } from './limits.ts';

/** What every answer to a POST tells, as a document of its own or within a problem. */
interface Receipt {
  readonly accepted: number;
  readonly rejected_count: number;
  readonly rejected: readonly Rejection[];
}

export const JSON_TYPE = 'application/json';

/** Most answers are this one. */
const ONE_ACCEPTED = JSON.stringify({ accepted: 1, rejected_count: 0, rejected: [] });

/** And this one, where its end was waited for. */
const ONE_STORED = JSON.stringify({
  accepted: 1,
  rejected_count: 0,
  rejected: [],
  stored: 1,
  duplicates: 0,
});

/** 202: the records are queued. */
export function accepted(exchange: Exchange, taken: Taken): void {
  const { count } = taken.rows;
  const plain = count === 1 && taken.rejectedCount === 0;
  exchange.reply(202, JSON_TYPE, plain ? ONE_ACCEPTED : JSON.stringify(receipt(taken, count)));
}

/** 400: none of the records is valid. */
export function noneValid(exchange: Exchange, rejections: Rejections): void {
  const detail = 'none of the records is valid; nothing was stored';
  exchange.problem({ status: 400, detail, extensions: { ...receipt(rejections, 0) } });
}

const WHY_REFUSED = {
  no_room: 'the queue has no room for these records',
  exceeds_queue: 'these records exceed the whole queue, send them in several requests',
  closing: 'the sidecar is shutting down',
} as const;

/** 503, or 413 where to try again would not help: the valid records were not queued. */
export function refused(
  exchange: Exchange,
  taken: Taken,
  submitted: Exclude<Submitted, { outcome: 'queued' }>,
): void {
  const detail = `${WHY_REFUSED[submitted.outcome]}; none of them was queued`;
  const extensions = { ...receipt(taken, 0) };
  if (submitted.outcome === 'exceeds_queue') {
    exchange.problem({ status: 413, detail, extensions });
    return;
  }
  const headers = { 'Retry-After': String(submitted.retryAfterSeconds) };
  exchange.problem({ status: 503, detail, extensions, headers });
}

/** 201, or what else came of records whose end was waited for. */
export function settled(
  exchange: Exchange,
  taken: Taken,
  outcome: Settled,
  waitSeconds: number,
): void {
  const { stored, duplicates } = outcome;
  const applied = { 'Preference-Applied': `wait=${waitSeconds}` };
  if (stored === 1 && taken.rows.count === 1 && taken.rejectedCount === 0) {
    exchange.reply(201, JSON_TYPE, ONE_STORED, applied);
    return;
  }
  const durable = stored + duplicates;
  const rejections = withRefused(taken, outcome);
  const body = { ...receipt(rejections, durable), stored, duplicates };
  const lost = taken.rows.count + taken.rejectedCount - rejections.rejectedCount - durable;
  if (lost > 0) {
    exchange.problem({
      status: 503,
      detail: `the sidecar is shutting down; ${lost} of the records were left behind`,
      extensions: body,
      headers: { 'Retry-After': String(RETRY_AFTER_SECONDS) },
    });
    return;
  }
  if (durable === 0) {
    noneValid(exchange, rejections);
    return;
  }
  exchange.reply(201, JSON_TYPE, JSON.stringify(body), applied);
}

type Rejections = Pick<Taken, 'rejected' | 'rejectedCount'>;

function receipt({ rejected, rejectedCount }: Rejections, accepted: number): Receipt {
  return { accepted, rejected_count: rejectedCount, rejected };
}

/** Moves the records that the database itself refused from the accepted to the rejected. */
function withRefused(
  { rejected, rejectedCount, indexes }: Taken,
  { dropped }: Settled,
): Rejections {
  const refused: Rejection[] = [];
  for (const { index, reason } of dropped) {
    if (reason !== 'refused') continue;
    refused.push({ index: indexes?.[index] ?? index, problem: 'refused by the database' });
  }
  if (refused.length === 0) return { rejected, rejectedCount };
  const all = [...rejected, ...refused].sort((a, b) => a.index - b.index);
  return {
    rejected: all.slice(0, MAX_LISTED_REJECTIONS),
    rejectedCount: rejectedCount + refused.length,
  };
}
