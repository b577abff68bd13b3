import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** What a waiting request takes besides its texts, and each name or value of its headers. */
const REQUEST_BYTES = 4_096;
const TEXT_BYTES = 64;

/** What the requests that wait on one connection come to. */
interface Line {
  requests: number;
  bytes: number;
}

/**
 * Counts the requests that wait for the answers before theirs (RFC 9112, section 9.3.2), on each
 * connection by number and on all together by the memory that they hold. Node reads on while it has
 * little to write, so that clients which pipeline behind an answer that takes long would fill the
 * memory.
 */
export class Pipelines {
  readonly #mostRequests: number;
  readonly #mostBytes: number;
  readonly #lines = new WeakMap<Socket, Line>();
  #held = 0;

  /**
   * @param mostRequests that may wait on one connection
   * @param mostBytes of memory that those on all connections may hold
   */
  constructor(mostRequests: number, mostBytes: number) {
    this.#mostRequests = mostRequests;
    this.#mostBytes = mostBytes;
  }

  /** Takes a request in; false where too many wait, and its connection is to be ended. */
  admit(incoming: IncomingMessage, outgoing: ServerResponse): boolean {
    // The one whose turn it is to be answered has the connection.
    if (outgoing.socket !== null) return true;
    const { socket } = incoming;
    // What was read together with the request for which it was ended.
    if (socket.destroyed) return false;
    const line = this.#lines.get(socket) ?? this.#begin(socket);
    const bytes = heldBy(incoming);
    if (line.requests >= this.#mostRequests || this.#held + bytes > this.#mostBytes) return false;
    line.requests += 1;
    line.bytes += bytes;
    this.#held += bytes;
    outgoing.once('socket', () => {
      // One that was closed has given everything back.
      if (this.#lines.get(socket) !== line) return;
      line.requests -= 1;
      line.bytes -= bytes;
      this.#held -= bytes;
    });
    return true;
  }

  #begin(socket: Socket): Line {
    const line: Line = { requests: 0, bytes: 0 };
    this.#lines.set(socket, line);
    socket.once('close', () => {
      this.#lines.delete(socket);
      this.#held -= line.bytes;
    });
    return line;
  }
}

/** About the bytes that a request holds: many short headers take far more than their texts. */
function heldBy({ url = '', rawHeaders }: IncomingMessage): number {
  let bytes = REQUEST_BYTES + url.length;
  for (const text of rawHeaders) bytes += TEXT_BYTES + text.length;
  return bytes;
}
