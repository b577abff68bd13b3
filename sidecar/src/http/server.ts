import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import { describeError } from '../telemetry/describe-error.ts';
import { Fold } from '../telemetry/fold.ts';
import type { Log } from '../telemetry/log.ts';
import { Exchange, type Serving } from './exchange.ts';
import {
  HEADERS_TIMEOUT_MS,
  KEEP_ALIVE_MS,
  MAX_HEADER_BYTES,
  MAX_HEADERS,
  PIPELINED_BYTES,
  REQUEST_TIMEOUT_MS,
  STREAM_BYTES,
  TIMEOUT_CHECK_MS,
} from './limits.ts';
import { answerParserErrors } from './parser-error.ts';
import { Pipelines } from './pipelines.ts';
import type { Problem } from './problem.ts';
import type { RequestStats } from './request-stats.ts';
import { application, type Route } from './routes.ts';
import { PLAIN_PATH, takeTarget } from './target.ts';
import { Upgrades } from './upgrades.ts';

export interface ServerOptions {
  readonly routes: readonly Route[];
  readonly maxConnections: number;
  /** Requests that may wait on one connection for the answers before theirs. */
  readonly maxPipelined: number;
  /** Told of a connection that was one too many. */
  readonly onConnectionRefused: () => void;
  readonly log: Log;
  /**
   * Looks at each request before its route does; the problem it finds is the answer.
   *
   * @param authority the host that the target names, where it names one
   */
  readonly guard?: (
    incoming: IncomingMessage,
    authority: string | undefined,
  ) => Problem | undefined;
  readonly stats?: RequestStats;
  /** Whether answers should end their connections. */
  readonly isClosing?: () => boolean;
  /** Told of a request that gets no answer, because of those before it on its connection. */
  readonly onCut?: (incoming: IncomingMessage) => void;
}

/**
 * Creates the HTTP server that both listeners are: limits, parser errors, request ids, security
 * headers, 404, 405 and HEAD are alike on both. It does not listen yet.
 *
 * It asks for no Host header by itself; the API's guard does.
 */
export function hardenedServer(options: ServerOptions): Server {
  const { guard, stats, isClosing, onCut, log, maxConnections, maxPipelined } = options;
  const troubles = new Fold();
  const onError = (error: unknown) => {
    const facts = describeError(error);
    troubles.tell(`${facts.name} ${facts.frames[0]}`, (repeated) =>
      log.error({ ...facts, repeated }, 'request failed'),
    );
  };
  const { app, posts } = application(options.routes);
  const serving: Serving = { onError, ...(stats && { stats }), ...(isClosing && { isClosing }) };
  const headRequests = new WeakSet<IncomingMessage>();
  const respond = getRequestListener(
    (request, env) => {
      const { incoming, outgoing } = env as HttpBindings;
      return app.fetch(
        request,
        new Exchange(incoming, outgoing, serving, headRequests.has(incoming)),
      );
    },
    // The bodies' readers clean up by themselves.
    { autoCleanupIncoming: false, overrideGlobalObjects: false },
  );

  const pipelines = new Pipelines(maxPipelined, PIPELINED_BYTES);
  const upgrades = new Upgrades();
  // False for a request that is to have no answer.
  const admits = (incoming: IncomingMessage, outgoing: ServerResponse): boolean => {
    if (!pipelines.admit(incoming, outgoing)) {
      incoming.socket.destroy();
      onCut?.(incoming);
      const limits = { max: maxPipelined, maxBytes: PIPELINED_BYTES };
      troubles.tell('pipeline', (repeated) =>
        log.warn({ ...limits, repeated }, 'connection ended: too many requests wait for answers'),
      );
      return false;
    }
    const last = upgrades.lastOf(incoming.socket);
    if (last === incoming) {
      outgoing.shouldKeepAlive = false;
    } else if (last !== undefined) {
      onCut?.(incoming);
      incoming.resume();
      return false;
    }
    return true;
  };

  const postOf = ({ method, url }: IncomingMessage) =>
    method === 'POST' && url !== undefined ? posts.get(url) : undefined;

  function onRequest(incoming: IncomingMessage, outgoing: ServerResponse): void {
    if (!admits(incoming, outgoing)) return;
    const known = postOf(incoming);
    // A target that is a route's own path needs no look.
    const target = known === undefined ? takeTarget(incoming) : PLAIN_PATH;
    const problem = 'status' in target ? target : guard?.(incoming, target.authority);
    if (problem !== undefined) {
      new Exchange(incoming, outgoing, serving).problem(problem);
      return;
    }
    // What came as a whole URL is a path by now.
    const post = known ?? postOf(incoming);
    if (post !== undefined) {
      post(new Exchange(incoming, outgoing, serving));
      return;
    }
    // The framework makes a URL of it, which fails for some that are legal; nothing here goes by it.
    incoming.headers.host = 'localhost';
    // Hono would wrap the answer to HEAD once more; Node leaves its body out by itself.
    if (incoming.method === 'HEAD') {
      headRequests.add(incoming);
      incoming.method = 'GET';
    }
    void respond(incoming, outgoing);
  }

  const server = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: TIMEOUT_CHECK_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    highWaterMark: STREAM_BYTES,
    requireHostHeader: false,
    insecureHTTPParser: false,
    shouldUpgradeCallback: upgrades.decline,
  });
  server.maxHeadersCount = MAX_HEADERS;
  server.maxConnections = maxConnections;
  server.on('request', onRequest);
  // With this listener it is the body's reader that tells the client to go on.
  server.on('checkContinue', onRequest);
  server.on('checkExpectation', (incoming: IncomingMessage, outgoing: ServerResponse) => {
    if (!admits(incoming, outgoing)) return;
    const detail = 'the only expectation that can be met is 100-continue';
    new Exchange(incoming, outgoing, serving).problem({ status: 417, detail });
  });
  server.on('drop', () => {
    options.onConnectionRefused();
    const tell = (repeated: number) =>
      log.warn({ maxConnections, repeated }, 'connection refused: too many are open');
    troubles.tell('drop', tell);
  });
  answerParserErrors(server, (socket) => upgrades.lastOf(socket)?.complete === true);
  return server;
}
