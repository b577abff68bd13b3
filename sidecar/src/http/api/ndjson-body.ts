import type { Kind } from '../../records/kinds.ts';
import { readChunks } from '../chunks.ts';
import type { Exchange } from '../exchange.ts';
import type { Problem } from '../problem.ts';
import { admit, BROKEN_OFF, NO_BUDGET } from './body.ts';
import type { Reservation } from './body-budget.ts';
import { encodingProblem, Intake, type Taken } from './intake.ts';
import { TOO_MANY } from './json-body.ts';
import { MAX_RECORD_BYTES } from './limits.ts';
import { Pieces } from './pieces.ts';
import { NOT_JSON } from './record-reader.ts';
import type { Turns } from './turns.ts';
import { skipSpace, ValueScan } from './value-scan.ts';

const NEWLINE = 0x0a;
const EMPTY = Buffer.alloc(0);
const EMPTY_BODY: Problem = { status: 400, detail: 'the body is empty' };
const TOO_LONG = `is larger than ${MAX_RECORD_BYTES} bytes`;

const scan = new ValueScan();

/**
 * Reads a body of `application/x-ndjson` while it arrives: a record a line, split at LF over the
 * raw bytes. CR before LF is JSON whitespace; blank lines are skipped and not counted. A bad line
 * is rejected by its index, the others are kept.
 *
 * @returns the records once the body is complete, or why there are none
 */
export function readNdjson(
  kind: Kind,
  { incoming }: Exchange,
  reservation: Reservation,
  track: boolean,
  turns: Turns,
): Promise<Taken | Problem> {
  const { promise, resolve, reject } = Promise.withResolvers<Taken | Problem>();
  const intake = new Intake(kind, track);
  const lines = new Lines();
  let bytes = 0;
  let records = 0;
  /** Decided: what a turn that is still due would read is of no use any more. */
  let isOver = false;

  const stop = readChunks(incoming, {
    take(chunk) {
      bytes += chunk.length;
      const problem = admit(reservation, bytes);
      if (problem !== undefined) {
        refuse(problem);
        return;
      }
      turns.begin();
      lines.feed(chunk);
      return addLines();
    },
    end() {
      try {
        if (add(lines.takeRest())) resolve(records === 0 ? EMPTY_BODY : intake.take());
      } catch (error) {
        fail(error);
      }
    },
  });
  incoming.on('error', () => refuse(BROKEN_OFF));
  return promise;

  /** Adds the lines of the chunk, in several turns where they take long. */
  function addLines(): void | Promise<void> {
    if (isOver) return;
    try {
      for (let line = lines.next(); line !== undefined; line = lines.next()) {
        if (!add(line)) return;
        if (turns.over) return turns.next().then(addLines);
      }
    } catch (error) {
      fail(error);
    }
  }

  /** @returns false where the line is one too many, or its row has no room */
  function add(line: Buffer): boolean {
    if (intake.full && !isBlank(line)) return refuse(TOO_MANY);
    if (addLine(intake, line)) records += 1;
    return reservation.cover(intake.rowBytes) || refuse(NO_BUDGET);
  }

  function refuse(problem: Problem): false {
    isOver = true;
    stop();
    resolve(problem);
    return false;
  }

  function fail(error: unknown): void {
    isOver = true;
    stop();
    reject(error);
  }
}

function isBlank(line: Buffer): boolean {
  return skipSpace(line, 0, line.length) === line.length;
}

/** @returns false for a blank line */
function addLine(intake: Intake, line: Buffer): boolean {
  const start = skipSpace(line, 0, line.length);
  if (start === line.length) return false;
  const problem = lineProblem(line, start);
  if (problem === undefined) intake.add(line, start, line.length, scan);
  else intake.reject(problem);
  return true;
}

/** Scans the line, unless it is unfit for that. */
function lineProblem(line: Buffer, start: number): string | undefined {
  if (line.length > MAX_RECORD_BYTES) return TOO_LONG;
  const problem = encodingProblem(line);
  if (problem !== undefined) return problem;
  return scan.run(line, start, line.length) ? undefined : NOT_JSON;
}

/** Splits chunks into lines. */
class Lines {
  /** The line that the last chunk broke off in. */
  readonly #line = new Pieces();
  #chunk: Buffer = EMPTY;
  #at = 0;

  feed(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** The next complete line without its LF; undefined when another chunk is needed. */
  next(): Buffer | undefined {
    const end = this.#chunk.indexOf(NEWLINE, this.#at);
    if (end === -1) {
      if (this.#at < this.#chunk.length) this.#line.add(this.#chunk.subarray(this.#at));
      this.#chunk = EMPTY;
      return undefined;
    }
    const line = this.#chunk.subarray(this.#at, end);
    this.#at = end + 1;
    return this.#join(line);
  }

  /** What follows the last LF, once all chunks are through. */
  takeRest(): Buffer {
    return this.#join(EMPTY);
  }

  #join(last: Buffer): Buffer {
    if (this.#line.length === 0) return last;
    if (last.length > 0) this.#line.add(last);
    return this.#line.take();
  }
}
