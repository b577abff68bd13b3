import { RESPONSE_ALREADY_SENT as ALREADY_SENT } from '@hono/node-server/utils/response';
import { Hono } from 'hono';
import type { Exchange } from './exchange.ts';
import type { RouteLabel } from './request-stats.ts';

/** One row of a listener's table of routes. */
export interface Route {
  /** GET answers HEAD too. */
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly handle: (exchange: Exchange) => void | Promise<void>;
}

/** A listener's table of routes, ready to serve. */
export interface Application {
  /** Serves all of it. */
  readonly app: Hono<{ Bindings: Exchange }>;
  /**
   * The POST routes by path, for requests that need no framework: it would be a sixth of what a
   * single record costs.
   */
  readonly posts: ReadonlyMap<string, (exchange: Exchange) => void>;
}

/**
 * Builds the application that serves a table of routes; all else is 404, or 405 with Allow where
 * the path exists. There is no middleware: every check that all requests share is done before, and
 * handlers write their answers themselves.
 */
export function application(routes: readonly Route[]): Application {
  const app: Application['app'] = new Hono();
  const posts = new Map<string, (exchange: Exchange) => void>();
  const allowed = new Map<string, string>();
  for (const [place, { method, path, handle }] of routes.entries()) {
    const label: RouteLabel = { index: place + 1, method, path };
    const serve = (exchange: Exchange) => {
      exchange.route = label;
      exchange.run(() => handle(exchange));
    };
    app.on(method, path, (c) => {
      serve(c.env);
      return ALREADY_SENT;
    });
    if (method === 'POST') posts.set(path, serve);
    const methods = method === 'GET' ? 'GET, HEAD' : method;
    const others = allowed.get(path);
    allowed.set(path, others === undefined ? methods : `${others}, ${methods}`);
  }

  const paths = [...allowed.keys()].join(', ');
  app.notFound((c) => {
    const allow = allowed.get(c.req.path);
    if (allow === undefined) {
      c.env.problem({ status: 404, detail: `no such resource; there are ${paths}` });
    } else {
      const detail = `this resource answers ${allow}`;
      c.env.problem({ status: 405, detail, headers: { Allow: allow } });
    }
    return ALREADY_SENT;
  });
  app.onError((error, c) => {
    c.env.run(() => {
      throw error;
    });
    return ALREADY_SENT;
  });
  return { app, posts };
}
