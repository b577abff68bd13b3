import type { IncomingMessage, ServerResponse } from 'node:http';
import { discardBody, hasBody } from './discard.ts';
import { PROBLEM_TYPE, type Problem, problemBody } from './problem.ts';
import { requestId } from './request-id.ts';
import { NO_ROUTE, type RequestStats, type RouteLabel } from './request-stats.ts';
import { SECURITY_HEADERS } from './security-headers.ts';

type Headers = Record<string, string>;

/**
 * One request and its answer. Handlers read the request from `incoming`, where its bytes are as
 * they came, and make the answer with {@link reply} or {@link problem}: once.
 *
 * Answers keep to what node-server sends fastest: a string and a plain object of headers.
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

  /** Makes the answer. */
  reply(status: number, contentType: string, body: string, more?: Headers): Response {
    return new Response(body, { status, headers: this.#head(status, contentType, more) });
  }

  /** Makes the answer to a request that could not be served as asked. */
  problem(problem: Problem): Response {
    void this.discard();
    const more = this.#problemHeaders(problem);
    return this.reply(problem.status, PROBLEM_TYPE, problemBody(problem), more);
  }

  /** Sends a problem past the framework, for requests that never reach it. */
  sendProblem(problem: Problem): void {
    void this.discard();
    const more = this.#problemHeaders(problem);
    const body = problemBody(problem);
    const headers = this.#head(problem.status, PROBLEM_TYPE, more);
    headers['Content-Length'] = String(Buffer.byteLength(body));
    this.outgoing.writeHead(problem.status, headers).end(body);
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

  #head(status: number, contentType: string, more: Headers | undefined): Headers {
    this.#stats?.observe(this.route, status, (performance.now() - this.#startedAt) / 1_000);
    const headers: Headers = {
      'Content-Type': contentType,
      'X-Request-Id': requestId(this.incoming.headers['x-request-id']),
      ...SECURITY_HEADERS,
    };
    return more === undefined ? headers : Object.assign(headers, more);
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
