import { setTimeout as sleep } from 'node:timers/promises';
import { KINDS, type KindCase, records } from './kinds.ts';

export interface LoadOptions {
  /** Of all event ids, so that several loads on one file stay apart. */
  readonly prefix: string;
  /** Connections that ask for durability and wait for it. */
  readonly durable?: number;
  /** Connections that take 202 for an answer. */
  readonly quick?: number;
  /** Length of the long text of each record, to fill the log of the database soon. */
  readonly textBytes?: number;
}

const BATCH = 20;
/** Between two posts that wait for nothing: enough of them, and yet time for the others. */
const PAUSE_MS = 5;
const RETRY_MS = 20;

/**
 * Connections that post all kinds of record, batches and singles in turn, until they are told to
 * stop or the sidecar is gone; and what they were answered.
 */
export class Load {
  /** Event ids of what was answered 201. */
  readonly durable = new Set<string>();
  /** Event ids of what was answered 202. */
  readonly queued = new Set<string>();
  /** Event ids of what was answered 503. */
  readonly refused = new Set<string>();
  /** Answers with any other status, which there must not be. */
  readonly strange: string[] = [];
  readonly #api: string;
  readonly #prefix: string;
  readonly #text: string;
  readonly #lanes: Promise<void>[];
  #isOver = false;

  constructor(api: string, { prefix, durable = 6, quick = 0, textBytes = 0 }: LoadOptions) {
    this.#api = api;
    this.#prefix = prefix;
    this.#text = 'x'.repeat(textBytes);
    this.#lanes = Array.from({ length: durable + quick }, (_, n) => this.#run(n, n < durable));
  }

  /** Resolves when the answers under way have come. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#lanes);
  }

  /** Resolves when all connections have met a sidecar that is gone. */
  async cut(): Promise<void> {
    await Promise.all(this.#lanes);
  }

  async #run(lane: number, waits: boolean): Promise<void> {
    const kind = KINDS[lane % KINDS.length] as KindCase;
    for (let n = 0; !this.#isOver; n += 1) {
      const long =
        this.#text !== '' && kind.longText !== undefined ? { [kind.longText]: this.#text } : {};
      const sent = records(kind, `${this.#prefix}-${lane}-${n}`, n % 2 === 0 ? BATCH : 1).map(
        (record) => ({ ...record, ...long }),
      );
      let response: Response;
      try {
        response = await fetch(this.#api + kind.path, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json', ...(waits && { Prefer: 'wait=60' }) },
          body: JSON.stringify(sent.length === 1 ? sent[0] : sent),
        });
        await response.text();
      } catch {
        return;
      }
      const answered = this.#answered(response.status);
      if (answered === undefined) this.strange.push(`${kind.path}: ${response.status}`);
      for (const { event_id } of sent) answered?.add(event_id);
      if (response.status === 503) await sleep(RETRY_MS);
      else if (!waits) await sleep(PAUSE_MS);
    }
  }

  #answered(status: number): Set<string> | undefined {
    if (status === 201) return this.durable;
    if (status === 202) return this.queued;
    return status === 503 ? this.refused : undefined;
  }
}
