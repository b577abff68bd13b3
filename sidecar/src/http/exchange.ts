import type { IncomingMessage, ServerResponse } from 'node:http';
import { RESPONSE_ALREADY_SENT as ALREADY_SENT } from '@hono/node-server/utils/response';
import { discardBody, hasBody } from './discard.ts';
import { PROBLEM_TYPE, type Problem, problemBody } from './problem.ts';
import { requestId } from './request-id.ts';
import { NO_ROUTE, type RequestStats, type RouteLabel } from './request-stats.ts';
import { SECURITY_HEADERS } from './security-headers.ts';

type Headers = Record<string, string>;

/**
 * One request and its answer. Handlers read the request from `incoming`, where its bytes are as
 * they came, and answer with {@link reply} or {@link problem}, once.
 *
 * Answers are written to Node's response itself: on their way through a Response object they cost
 * a third of a request.
 */
export class Exchange {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  route: RouteLabel = NO_ROUTE;
  readonly #stats: RequestStats | undefined;
  readonly #startedAt = performance.now();
  #continued = false;

  constructor(incoming: IncomingMessage, outgoing: ServerResponse, stats?: RequestStats) {
    this.incoming = incoming;
    this.outgoing = outgoing;
    this.#stats = stats;
  }

  /**
   * Sends the answer.
   *
   * @returns what tells the framework that there is nothing left to send
   */
  reply(status: number, contentType: string, body: string, more?: Headers): Response {
    const { outgoing } = this;
    if (outgoing.headersSent) return ALREADY_SENT;
    this.#stats?.observe(this.route, status, (performance.now() - this.#startedAt) / 1_000);
    const headers = {
      'Content-Type': contentType,
      'Content-Length': Buffer.byteLength(body),
      'X-Request-Id': requestId(this.incoming.headers['x-request-id']),
      ...SECURITY_HEADERS,
    };
    if (more !== undefined) Object.assign(headers, more);
    outgoing.writeHead(status, headers).end(body);
    return ALREADY_SENT;
  }

  /** Sends the answer to a request that could not be served as asked. */
  problem(problem: Problem): Response {
    const more = this.#problemHeaders(problem);
    void this.discard();
    return this.reply(problem.status, PROBLEM_TYPE, problemBody(problem), more);
  }

  /** Tells a client that waits for it to send the body (RFC 9110, section 10.1.1). */
  continue(): void {
    if (this.incoming.headers.expect === undefined || this.#continued) return;
    this.#continued = true;
    this.outgoing.writeContinue();
  }

  /** Reads what is left of the body, within bounds, where one is coming; never rejects. */
  discard(): Promise<void> {
    return this.#awaitsContinue() ? Promise.resolve() : discardBody(this.incoming);
  }

  #problemHeaders({ headers }: Problem): Headers | undefined {
    // Whether the body follows is now the client's choice: what comes next would be ambiguous.
    if (this.#awaitsContinue()) return { ...headers, Connection: 'close' };
    return headers;
  }

  #awaitsContinue(): boolean {
    const { incoming } = this;
    return incoming.headers.expect !== undefined && !this.#continued && hasBody(incoming);
  }
}
