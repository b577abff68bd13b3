import type { Rows } from '../../../../sidecar/src/records/rows.ts';
import type { Appended, Store } from '../../../../sidecar/src/stores/store.ts';
import { StoreError } from '../../../../sidecar/src/stores/store-error.ts';
import { readRows } from './records.ts';

/** How a call ends: well, with an error, or with an error after the rows have become durable. */
export type Outcome = 'ok' | 'transient' | 'too_large' | 'unexpected' | 'unknown';

/** What an append may hold, and whether the store says that one beyond it was too large. */
export interface Limit {
  readonly rows?: number;
  readonly bytes?: number;
  readonly told: boolean;
}

/** Calls, by their number, among which appends are refused as data and trial writes fail. */
export interface Shut {
  readonly from: number;
  readonly calls: number;
}

type Call = 'open' | 'append' | 'probe';

/**
 * A store in memory that keeps the contract and checks that the recorder does: one call at a time,
 * none after close. Any batch with a poisonous row (see {@link poison}) is refused as data.
 */
export class FakeStore implements Store {
  readonly driver = 'sqlite';
  /** Event ids in the order in which they were stored. */
  readonly stored = new Map<string, number>();
  /** Rows of each append. */
  readonly appends: number[] = [];
  readonly calls: Call[] = [];
  /** What broke the contract. */
  readonly violations: string[] = [];
  warning: string | undefined;
  complains: string | undefined;
  lost = false;
  closed = 0;

  /** Decides how each call ends, and when. */
  answer: (call: Call) => Outcome | Promise<Outcome> = () => 'ok';
  closing: () => Promise<void> = async () => {};
  limit: Limit | undefined;
  /** While somebody's trigger refuses all rows, say. */
  shut: Shut | undefined;
  poison: (id: string) => boolean = (id) => id.startsWith('poison');
  #busy = false;

  isLost(): boolean {
    return this.lost;
  }

  async open(): Promise<void> {
    await this.#call('open', () => {
      this.lost = false;
    });
  }

  async append(rows: Rows): Promise<Appended> {
    const duplicates: number[] = [];
    const records = readRows(rows);
    const bytes = rows.bytes.length;
    this.appends.push(records.length);
    if (rows.bytes.byteOffset !== 0 || rows.bytes.length !== rows.bytes.buffer.byteLength) {
      this.violations.push('the rows share their memory');
    }
    rows.bytes.buffer.transfer();
    await this.#call('append', () => {
      this.#refuseBeyondLimit(records.length, bytes);
      if (this.#isShut) throw new StoreError('all is refused', { class: 'data' });
      if (records.some(({ id }) => this.poison(id))) {
        throw new StoreError('value refused', { class: 'data' });
      }
      for (const [index, { id }] of records.entries()) {
        if (this.stored.has(id)) duplicates.push(index);
        else this.stored.set(id, this.stored.size);
      }
    });
    return { duplicates };
  }

  async probe(): Promise<void> {
    await this.#call('probe', () => {
      if (this.#isShut) throw new StoreError('all is refused');
    });
  }

  complaint(): string | undefined {
    return this.complains;
  }

  warnings(): readonly string[] {
    return this.warning === undefined ? [] : [this.warning];
  }

  async list() {
    return { items: [], next: null };
  }

  async close(): Promise<void> {
    this.closed += 1;
    await this.closing();
  }

  /** For the call under way. */
  get #isShut(): boolean {
    if (this.shut === undefined) return false;
    const past = this.calls.length - 1 - this.shut.from;
    return past >= 0 && past < this.shut.calls;
  }

  #refuseBeyondLimit(count: number, bytes: number): void {
    const { rows = count, bytes: most = bytes, told = false } = this.limit ?? {};
    if (count <= rows && bytes <= most) return;
    throw new StoreError('connection lost', { tooLarge: told });
  }

  async #call(call: Call, effect: () => void): Promise<void> {
    if (this.#busy) this.violations.push(`${call} during another call`);
    if (this.closed > 0) this.violations.push(`${call} after close`);
    this.calls.push(call);
    this.#busy = true;
    try {
      const outcome = await this.answer(call);
      if (outcome === 'transient') throw new StoreError('connection refused', { hint: 'start it' });
      if (outcome === 'too_large') throw new StoreError('no answer in time', { tooLarge: true });
      if (outcome === 'unexpected') throw new TypeError('secret content of a record');
      effect();
      if (outcome === 'unknown') throw new StoreError('connection lost after COMMIT');
    } finally {
      this.#busy = false;
    }
  }
}

/** Calls that wait for the test to end them, in order. */
export class Gate {
  readonly #waiting: ((outcome: Outcome) => void)[] = [];

  get waiting(): number {
    return this.#waiting.length;
  }

  readonly pass = (): Promise<Outcome> =>
    new Promise((resolve) => {
      this.#waiting.push(resolve);
    });

  /** Ends the oldest call. */
  end(outcome: Outcome = 'ok'): void {
    const end = this.#waiting.shift();
    if (end === undefined) throw new Error('no call is under way');
    end(outcome);
  }
}
