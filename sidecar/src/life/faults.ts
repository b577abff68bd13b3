import { describeError } from '../telemetry/describe-error.ts';
import { Fold } from '../telemetry/fold.ts';
import type { Log } from '../telemetry/log.ts';

/**
 * Counts and logs what nobody handled, and lets the process go on: its end would take the whole
 * Pod out of its Service, and the records in the queue with it.
 */
export class Faults {
  readonly #fold = new Fold();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  watch(log: Log): void {
    process.on('uncaughtException', (error) => this.#tell(log, 'exception', error));
    process.on('unhandledRejection', (reason) => this.#tell(log, 'rejection', reason));
  }

  #tell(log: Log, kind: string, thrown: unknown): void {
    this.#count += 1;
    const facts = describeError(thrown);
    this.#fold.tell(`${kind} ${facts.name} ${facts.frames[0]}`, (repeated) =>
      log.error({ kind, ...facts, repeated }, 'an error was handled by nobody'),
    );
  }
}
