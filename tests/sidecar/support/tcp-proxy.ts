import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** `up` goes to the server, `down` to the client. */
export type Direction = 'up' | 'down';

/** A host and port, or the path of a Unix domain socket. */
export type ProxyTarget =
  | { readonly host: string; readonly port: number }
  | { readonly path: string };

/**
 * What becomes of the bytes.
 *
 * - `pass`: forwarded
 * - `stall`: none is read in either direction: a black hole that still accepts
 * - `stall-answers`: the server gets what the client sends, and its answers stay on the way
 * - `garbage`: the client is answered with random bytes; the server gets nothing
 */
export type ProxyMode = 'pass' | 'stall' | 'stall-answers' | 'garbage';

/** A TCP proxy before a real server, which misbehaves on command. */
export interface TcpProxy extends AsyncDisposable {
  readonly host: '127.0.0.1';
  /** Stays the same for the proxy's life. */
  readonly port: number;
  /** Connections accepted so far. */
  readonly accepted: number;
  /** Connections open now. */
  readonly open: number;
  /** Bytes forwarded so far, over all connections. */
  readonly forwarded: Readonly<Record<Direction, number>>;
  /** Applies to open connections and to new ones. */
  mode: ProxyMode;
  /** Milliseconds that each chunk waits, in either direction. */
  delayMs: number;
  /** Where new connections go: a failover moves it. */
  target: ProxyTarget;
  /** Stops listening (connections are refused) and resets those that are open. */
  refuse(): Promise<void>;
  /** Listens again after `refuse`. */
  accept(): Promise<void>;
  /** Resets every open connection. */
  cut(): void;
  /**
   * Ends the connection over which the given byte goes, counted from now over all connections: the
   * bytes before it are forwarded, so the last message arrives truncated. Resolves when it is done.
   *
   * @param how `reset` sends RST; `end` an orderly FIN after the truncated bytes
   */
  cutAfter(direction: Direction, bytes: number, how?: 'reset' | 'end'): Promise<void>;
  /**
   * Lets the first request that matches reach the server, waits for the answer, swallows it and
   * resets the connection: what the request did is done, and the client does not know. A text
   * matches where the client's bytes hold it. Resolves when it is done.
   */
  cutAnswerTo(request: string | ((chunk: Buffer) => boolean)): Promise<void>;
}

interface Cut {
  readonly direction: Direction;
  left: number;
  readonly how: 'reset' | 'end';
  readonly done: () => void;
}

interface AnswerCut {
  readonly matches: (chunk: Buffer) => boolean;
  /** The link over which the request went. */
  link: Link | undefined;
  readonly done: () => void;
}

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** Client's bytes at the end of the last chunk: a text may be split. */
  tail: Buffer;
}

const TAIL_BYTES = 256;

/** Starts a proxy on a port of its own. */
export async function tcpProxy(target: ProxyTarget): Promise<TcpProxy> {
  const links = new Set<Link>();
  const cuts: Cut[] = [];
  let answerCuts: AnswerCut[] = [];
  const forwarded = { up: 0, down: 0 };
  let accepted = 0;
  let mode: ProxyMode = 'pass';
  let port = 0;
  let server: Server | undefined;

  async function listen(): Promise<void> {
    server = createServer((client) => {
      accepted += 1;
      link(client);
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  }

  function link(client: Socket): void {
    const upstream = 'path' in proxy.target ? connect(proxy.target.path) : connect(proxy.target);
    const made: Link = { client, server: upstream, tail: Buffer.alloc(0) };
    links.add(made);
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      socket.on('error', () => reset(made));
      socket.on('close', () => links.delete(made));
    }
    client.on('end', () => upstream.end());
    upstream.on('end', () => client.end());
    client.on('data', (chunk) => later(() => onData(made, 'up', chunk)));
    upstream.on('data', (chunk) => later(() => onData(made, 'down', chunk)));
    follow(made);
  }

  /** Timers of one length fire in the order in which they were set, so chunks keep theirs. */
  function later(step: () => void): void {
    if (proxy.delayMs === 0) step();
    else setTimeout(step, proxy.delayMs);
  }

  function onData(on: Link, direction: Direction, chunk: Buffer): void {
    if (mode === 'garbage') {
      if (direction === 'up') on.client.write(randomBytes(512));
      return;
    }
    if (direction === 'up') watchRequest(on, chunk);
    else if (swallowAnswer(on)) return;
    const cut = cuts.find((one) => one.direction === direction);
    const passing = cut === undefined ? chunk : chunk.subarray(0, cut.left);
    forward(on, direction, passing, cut);
  }

  function forward(on: Link, direction: Direction, bytes: Buffer, cut: Cut | undefined): void {
    const [from, to] = direction === 'up' ? [on.client, on.server] : [on.server, on.client];
    forwarded[direction] += bytes.length;
    const ends = cut !== undefined && bytes.length >= cut.left;
    if (cut !== undefined) cut.left -= bytes.length;
    const roomy = to.write(bytes, () => {
      if (!ends) return;
      if (cut.how === 'reset') reset(on);
      else finish(on);
      cut.done();
    });
    if (ends) {
      cuts.splice(cuts.indexOf(cut), 1);
      from.pause();
    } else if (!roomy) {
      from.pause();
      to.once('drain', () => follow(on));
    }
  }

  function watchRequest(on: Link, chunk: Buffer): void {
    const seen = Buffer.concat([on.tail, chunk]);
    for (const cut of answerCuts) if (cut.link === undefined && cut.matches(seen)) cut.link = on;
    on.tail = seen.subarray(-TAIL_BYTES);
  }

  function swallowAnswer(on: Link): boolean {
    const cut = answerCuts.find((one) => one.link === on);
    if (cut === undefined) return false;
    answerCuts = answerCuts.filter((one) => one !== cut);
    reset(on);
    cut.done();
    return true;
  }

  /** Reads, or not, as the mode says. */
  function follow({ client, server: upstream }: Link): void {
    if (mode === 'stall') client.pause();
    else client.resume();
    if (mode === 'stall' || mode === 'stall-answers') upstream.pause();
    else upstream.resume();
  }

  function reset({ client, server: upstream }: Link): void {
    client.resetAndDestroy();
    upstream.destroy();
  }

  function finish({ client, server: upstream }: Link): void {
    client.end();
    upstream.end();
  }

  const proxy: TcpProxy = {
    host: '127.0.0.1',
    get port() {
      return port;
    },
    get accepted() {
      return accepted;
    },
    get open() {
      return links.size;
    },
    forwarded,
    get mode() {
      return mode;
    },
    set mode(to) {
      mode = to;
      for (const each of links) follow(each);
    },
    delayMs: 0,
    target,
    async refuse() {
      const closing = server;
      server = undefined;
      const closed = closing && once(closing, 'close');
      closing?.close();
      proxy.cut();
      await closed;
    },
    async accept() {
      if (server === undefined) await listen();
    },
    cut() {
      for (const each of links) reset(each);
    },
    cutAfter(direction, bytes, how = 'reset') {
      const { promise, resolve } = Promise.withResolvers<void>();
      cuts.push({ direction, left: bytes, how, done: resolve });
      return promise;
    },
    cutAnswerTo(request) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const matches =
        typeof request === 'string' ? (chunk: Buffer) => chunk.includes(request) : request;
      answerCuts.push({ matches, link: undefined, done: resolve });
      return promise;
    },
    [Symbol.asyncDispose]: () => proxy.refuse(),
  };
  await listen();
  return proxy;
}
