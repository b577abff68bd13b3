import { RESPONSE_ALREADY_SENT as ALREADY_SENT } from '@hono/node-server/utils/response';
import { Hono } from 'hono';
import type { Exchange } from './exchange.ts';
import type { RouteLabel } from './request-stats.ts';

/** One row of a listener's table of routes. */
export interface Route {
  /** GET answers HEAD too. */
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly handle: (exchange: Exchange) => Response | Promise<Response>;
}

export type App = Hono<{ Bindings: Exchange }>;

/**
 * Builds the application that serves a table of routes; all else is 404, or 405 with Allow where
 * the path exists. There is no middleware: every check that all requests share is done before.
 *
 * @param onError told of what a handler threw; the client learns nothing of it
 */
export function application(routes: readonly Route[], onError: (error: Error) => void): App {
  const app: App = new Hono();
  const allowed = new Map<string, string>();
  for (const [place, { method, path, handle }] of routes.entries()) {
    const label: RouteLabel = { index: place + 1, method, path };
    app.on(method, path, (c) => {
      const exchange = c.env;
      exchange.route = label;
      const sent = handle(exchange);
      // The handler writes the answer itself: neither Hono nor node-server has to wait for it.
      if (sent instanceof Promise) sent.catch((error: Error) => fail(exchange, error));
      return ALREADY_SENT;
    });
    const methods = method === 'GET' ? 'GET, HEAD' : method;
    const others = allowed.get(path);
    allowed.set(path, others === undefined ? methods : `${others}, ${methods}`);
  }

  app.notFound((c) => {
    const allow = allowed.get(c.req.path);
    if (allow === undefined) return c.env.problem({ status: 404, detail: 'no such resource' });
    const detail = `this resource answers ${allow}`;
    return c.env.problem({ status: 405, detail, headers: { Allow: allow } });
  });
  app.onError((error, c) => fail(c.env, error));
  return app;

  function fail(exchange: Exchange, error: Error): Response {
    onError(error);
    return exchange.problem({ status: 500, detail: 'an internal error; it is in the log' });
  }
}
