import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Request {
  readonly path: string;
  readonly prefer: string | undefined;
  readonly records: readonly Record<string, unknown>[];
  readonly at: number;
}

export interface Answer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

/** What the sidecar answers to a batch when it takes everything. */
export function acceptAll(request: Request): Answer {
  const body = { accepted: request.records.length, rejected_count: 0, rejected: [] };
  return { status: 202, body };
}

/** An HTTP server that answers what a test wants, and remembers what it was sent. */
export async function fakeSidecar(answer: (request: Request, nth: number) => Answer) {
  const requests: Request[] = [];
  const sockets = new Set<unknown>();
  const server = createServer(async (incoming, response) => {
    sockets.add(incoming.socket);
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const request: Request = {
      path: incoming.url ?? '',
      prefer: incoming.headers.prefer?.toString(),
      records: JSON.parse(Buffer.concat(chunks).toString()),
      at: performance.now(),
    };
    // The first request asks whether anyone is there.
    const isGreeting = request.records.length === 0;
    if (!isGreeting) requests.push(request);
    const said = isGreeting ? acceptAll(request) : answer(request, requests.length);
    response.writeHead(said.status, { 'content-type': 'application/json', ...said.headers });
    response.end(JSON.stringify(said.body ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    /** How many connections were used. */
    get connections() {
      return sockets.size;
    },
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
