import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Kind } from '../../sidecar/src/records/kinds.ts';

/** What the sidecar answered to one batch, in the end. */
export interface Outcome {
  readonly accepted: number;
  /** Of the accepted ones, when the answer was 201. */
  readonly stored: number;
  readonly duplicates: number;
  readonly refused: number;
  /** The first problem of a refused record, if any was. */
  readonly problem: string | undefined;
  /** Whether they were on the disk before the answer (201). */
  readonly durable: boolean;
}

/** The sidecar cannot be reached, or what answers is none; the message says what to do. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError';
}

export interface PosterOptions {
  readonly url: URL;
  readonly connections: number;
  readonly wait: boolean;
  /** How long a sidecar that answered before may be away, in milliseconds. */
  readonly patienceMs?: number;
}

const DEFAULT_PATIENCE_MS = 30_000;
const RECONNECT_MS = 250;
/** A sidecar that names a longer time is asked sooner. */
const MAX_RETRY_AFTER_S = 30;
/** Longer than any wait that may be asked for. */
const ANSWER_TIMEOUT_MS = 90_000;

interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly body: string;
}

/** Posts batches over keep-alive connections, as the Router does. */
export class Poster {
  /** How often a batch was sent again since the sidecar had no room (503). */
  busy = 0;
  /** How often a batch was sent again since the connection failed. */
  reconnected = 0;
  readonly #options: PosterOptions;
  readonly #agent: Agent;

  constructor(options: PosterOptions) {
    this.#options = options;
    this.#agent = new Agent({ keepAlive: true, maxSockets: options.connections });
  }

  /**
   * Makes sure that a sidecar is there, by a batch of no records.
   *
   * @throws UnreachableError
   */
  async greet(): Promise<void> {
    const { origin } = this.#options.url;
    let answer: Answer;
    try {
      answer = await this.#send('/v1/audit-events', '[]');
    } catch (error) {
      throw new UnreachableError(
        `no sidecar answers at ${origin} (${codeOf(error)}): start one with \`npm start\`, or name its address with --url`,
      );
    }
    if (answer.status === 202 || answer.status === 503) return;
    throw new UnreachableError(
      `what answers at ${origin} is not the sidecar's API (status ${answer.status}): name the right address with --url`,
    );
  }

  /**
   * Sends one batch until it is answered for good: a 503 is obeyed and the batch sent again, and
   * so is one whose connection failed, which the event ids make safe.
   *
   * @param body a JSON array of `count` records
   * @throws UnreachableError when the sidecar stays away
   */
  async post(kind: Kind, body: string, count: number): Promise<Outcome> {
    const patience = this.#options.patienceMs ?? DEFAULT_PATIENCE_MS;
    let awaySince: number | undefined;
    while (true) {
      let answer: Answer;
      try {
        answer = await this.#send(`/v1/${kind.path}`, body);
      } catch (error) {
        awaySince ??= performance.now();
        if (performance.now() - awaySince >= patience) {
          const { origin } = this.#options.url;
          throw new UnreachableError(
            `the sidecar at ${origin} went away (${codeOf(error)}) and did not come back within ${patience / 1000} s; sending the same again later stores nothing twice`,
          );
        }
        this.reconnected += 1;
        await sleep(RECONNECT_MS);
        continue;
      }
      awaySince = undefined;
      if (answer.status !== 503) return outcomeOf(answer, count);
      this.busy += 1;
      await sleep(retryAfterMs(answer.retryAfter));
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(path: string, body: string): Promise<Answer> {
    const { url, wait } = this.#options;
    return new Promise((resolve, reject) => {
      const bytes = Buffer.from(body);
      const headers: Record<string, string | number> = {
        'Content-Type': 'application/json',
        'Content-Length': bytes.length,
      };
      if (wait) headers.Prefer = 'wait=60';
      const sent = request(
        new URL(path, url),
        { method: 'POST', agent: this.#agent, headers, timeout: ANSWER_TIMEOUT_MS },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              retryAfter: response.headers['retry-after'],
              body: Buffer.concat(chunks).toString(),
            }),
          );
        },
      );
      sent.on('timeout', () => sent.destroy(new Error('no answer in time')));
      sent.on('error', reject);
      sent.end(bytes);
    });
  }
}

function outcomeOf(answer: Answer, count: number): Outcome {
  const said = parseObject(answer.body);
  if (answer.status === 201 || answer.status === 202) {
    const refused = numberOf(said.rejected_count);
    return {
      accepted: numberOf(said.accepted),
      stored: numberOf(said.stored),
      duplicates: numberOf(said.duplicates),
      refused,
      problem: refused > 0 ? problemOf(said) : undefined,
      durable: answer.status === 201,
    };
  }
  const problem = `status ${answer.status}: ${problemOf(said) ?? 'no reason given'}`;
  return { accepted: 0, stored: 0, duplicates: 0, refused: count, problem, durable: false };
}

function problemOf(said: Record<string, unknown>): string | undefined {
  const first: unknown = Array.isArray(said.rejected) ? said.rejected[0] : undefined;
  if (typeof first === 'object' && first !== null && 'problem' in first) {
    return String(first.problem);
  }
  const text = said.detail ?? said.title;
  return typeof text === 'string' ? text : undefined;
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

function retryAfterMs(header: string | undefined): number {
  const seconds = Number(header);
  if (!Number.isFinite(seconds) || seconds <= 0) return 1_000;
  return Math.min(seconds, MAX_RETRY_AFTER_S) * 1_000;
}

function codeOf(error: unknown): string {
  if (error instanceof Error) {
    return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
  }
  return String(error);
}
