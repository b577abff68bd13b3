import { StoreError } from '../stores/store-error.ts';
import type { Log } from '../telemetry/log.ts';
import type { Clock } from './clock.ts';

/**
 * Whether storage works, and one log line for each change of it. While it stays down, a line tells
 * a new reason at once and the same one once an interval.
 */
export class Health {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #repeatMs: number;
  #reason: string | undefined = 'storage is being opened';
  #downSince: number;
  /** Failed calls since it was last up. */
  #failures = 0;
  /** The reason last told, and when to tell it again. */
  #told: string | undefined;
  #tellAgainAt = 0;

  constructor(log: Log, clock: Clock, repeatMs: number) {
    this.#log = log;
    this.#clock = clock;
    this.#repeatMs = repeatMs;
    this.#downSince = clock.now();
  }

  /** Why storage is down, or undefined while it is up. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /** How long it has been down, or undefined while it is up. */
  get downSeconds(): number | undefined {
    if (this.#reason === undefined) return undefined;
    return (this.#clock.now() - this.#downSince) / 1_000;
  }

  /** A call to the store failed. */
  failed(reason: string): void {
    this.#failures += 1;
    this.amiss(reason);
  }

  /** Something is wrong, though no call failed. */
  amiss(reason: string): void {
    const now = this.#clock.now();
    if (this.#reason === undefined) this.#downSince = now;
    this.#reason = reason;
    const essence = withoutFigures(reason);
    if (essence === this.#told && now < this.#tellAgainAt) return;
    this.#told = essence;
    this.#tellAgainAt = now + this.#repeatMs;
    const down_seconds = Math.round(this.downSeconds ?? 0);
    this.#log.error({ reason, failures: this.#failures, down_seconds }, 'storage is down');
  }

  /** A write, or a trial one, has succeeded. */
  succeeded(): void {
    if (this.#reason === undefined) return;
    const down_seconds = Math.round(this.downSeconds ?? 0);
    this.#log.info({ failures: this.#failures, down_seconds }, 'storage is up');
    this.#reason = undefined;
    this.#failures = 0;
    this.#told = undefined;
  }
}

/** `worker hung for 12 s` and `... 17 s` are one reason. */
function withoutFigures(reason: string): string {
  return reason.replace(/\d+/g, '#');
}

/**
 * A failure in words that may be logged. A {@link StoreError}'s are made for that; of any other
 * error only its name and code are told, since its message may hold a record's content.
 */
export function describeFailure(error: unknown): string {
  if (error instanceof StoreError) return error.reason;
  const parts = [];
  if (error instanceof Error) {
    parts.push(error.name);
    if ('code' in error) parts.push(String(error.code));
  }
  const plain = parts.filter((part) => /^\w{1,64}$/.test(part));
  return `the store failed unexpectedly (${plain.join(' ') || 'no error given'})`;
}
