import type { Kind } from '../../records/kinds.ts';
import { RowWriter } from '../../records/rows.ts';
import type { Problem } from '../problem.ts';
import { NO_BUDGET } from './body.ts';
import type { Reservation } from './body-budget.ts';
import { encodingProblem, Intake, type Taken } from './intake.ts';
import { MAX_RECORDS } from './limits.ts';
import { NOT_JSON } from './record-reader.ts';
import type { Turns } from './turns.ts';
import { skipSpace, ValueScan } from './value-scan.ts';

const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

export const TOO_MANY: Problem = {
  status: 413,
  detail: `a request may hold at most ${MAX_RECORDS} records; send them in several`,
};

/** For the records that are read in one go: most requests hold one. */
let oneRecord = new RowWriter();
const scan = new ValueScan();

/**
 * Reads a body of `application/json`: one record, or an array of them. A syntax error anywhere is
 * the whole body's, since nobody can tell where the next record starts.
 *
 * @param reservation what the body holds of the common budget, and its rows may
 * @param track whether to remember the index of each valid record
 */
export function readJson(
  kind: Kind,
  bytes: Buffer,
  reservation: Reservation,
  track: boolean,
  turns: Turns,
): Taken | Problem | Promise<Taken | Problem> {
  const problem = encodingProblem(bytes);
  if (problem !== undefined) return malformed(problem);
  const start = skipSpace(bytes, 0, bytes.length);
  if (start === bytes.length) return { status: 400, detail: 'the body is empty' };
  if (bytes[start] === OPEN_BRACKET) {
    return readArray(new Intake(kind, track), bytes, start + 1, reservation, turns);
  }

  if (!scan.run(bytes, start, bytes.length)) return malformed(NOT_JSON);
  const intake = new Intake(kind, track, oneRecord);
  try {
    const wrong = intake.add(bytes, start, bytes.length, scan);
    return wrong === NOT_JSON ? malformed(NOT_JSON) : intake.take();
  } catch (error) {
    // It may hold half a row, which the next request's would follow.
    oneRecord = new RowWriter();
    throw error;
  }
}

/** Takes the array apart and parses its elements one by one, so that no parse is long. */
async function readArray(
  intake: Intake,
  bytes: Buffer,
  start: number,
  reservation: Reservation,
  turns: Turns,
): Promise<Taken | Problem> {
  turns.begin();
  let at = skipSpace(bytes, start, bytes.length);
  if (bytes[at] !== CLOSE_BRACKET) {
    for (let record = 0; ; record++) {
      const broken = () => malformed(`${NOT_JSON}, in or after its record ${record}, from 0`);
      if (intake.full) return TOO_MANY;
      if (!scan.run(bytes, at, bytes.length)) return broken();
      const { end } = scan;
      if (intake.add(bytes, at, end, scan) === NOT_JSON) return broken();
      if (!reservation.cover(intake.rowBytes)) return NO_BUDGET;
      at = skipSpace(bytes, end, bytes.length);
      if (bytes[at] === CLOSE_BRACKET) break;
      if (bytes[at] !== COMMA) return broken();
      at = skipSpace(bytes, at + 1, bytes.length);
      if (turns.over) await turns.next();
    }
  }
  const rest = skipSpace(bytes, at + 1, bytes.length);
  return rest === bytes.length ? intake.take() : malformed(NOT_JSON);
}

function malformed(problem: string): Problem {
  return { status: 400, detail: `the body ${problem}` };
}
