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
    const { name, code, frames } = describe(thrown);
    this.#fold.tell(`${kind} ${name} ${frames[0]}`, (repeated) =>
      log.error({ kind, name, code, frames, repeated }, 'an error was handled by nobody'),
    );
  }
}

/** Where it came from, without its message: that may hold what a caller sent. */
function describe(thrown: unknown): { name: string; code?: string; frames: string[] } {
  if (!(thrown instanceof Error)) return { name: typeof thrown, frames: [] };
  const frames = (thrown.stack ?? '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /^at .*:\d+:\d+\)?$/.test(line))
    .slice(0, 10);
  const { code } = thrown as NodeJS.ErrnoException;
  const name = thrown.constructor.name;
  return typeof code === 'string' ? { name, code, frames } : { name, frames };
}
