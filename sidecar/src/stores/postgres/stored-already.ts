/** "Stored already" acknowledges a record, so it has to be true, and as durable as a commit. */

import type { Kind } from '../../records/kinds.ts';
import type { Names } from './ddl.ts';
import { postgresError } from './errors.ts';
import type { Session } from './session.ts';
import { swallowed } from './swallowed.ts';
import { awaitDurability } from './trial-write.ts';

/** Rows of one kind that an INSERT has passed over. */
export interface PassedOver {
  readonly kind: Kind;
  /** Each one once. */
  readonly eventIds: readonly string[];
}

/**
 * Makes sure that rows which were passed over are there, and stay.
 *
 * @param passedOver not empty
 * @param timeoutMs for each of two statements
 * @throws {StoreError} a transient one, after giving up the session: no record is to blame
 */
export async function confirmStored(
  session: Session,
  names: Names,
  passedOver: readonly [PassedOver, ...PassedOver[]],
  timeoutMs: number,
): Promise<void> {
  try {
    await lookUp(session, names, passedOver, timeoutMs);
    await awaitDurability(session, names, passedOver[0].kind, timeoutMs);
  } catch (error) {
    session.destroy();
    throw postgresError('append', error);
  }
}

async function lookUp(
  session: Session,
  names: Names,
  passedOver: readonly PassedOver[],
  timeoutMs: number,
): Promise<void> {
  const counts = passedOver.map(
    ({ kind }, i) =>
      `SELECT ${i}, count(*) FROM ${names.table(kind.table)} WHERE event_id = ANY($${i + 1}::text[])`,
  );
  const values = passedOver.map(({ eventIds }) => eventIds);
  const answer = await session.query(counts.join(' UNION ALL '), values, timeoutMs);
  for (const [i, { kind, eventIds }] of passedOver.entries()) {
    const [, count] = answer.find(([n]) => n === String(i)) ?? [];
    if (Number(count) !== eventIds.length) throw swallowed('append', kind.table);
  }
}
