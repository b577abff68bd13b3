import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Counts the requests of each connection that wait for the answers before theirs (RFC 9112, section
 * 9.3.2). Node reads on while it has little to write, so that a client which pipelines behind an
 * answer that takes long would fill the memory.
 */
export class Pipelines {
  readonly #most: number;
  readonly #waiting = new WeakMap<Socket, number>();

  /** @param most requests that may wait on one connection */
  constructor(most: number) {
    this.#most = most;
  }

  /** Takes a request in; false where its connection has too many that wait, and is to be ended. */
  admit(incoming: IncomingMessage, outgoing: ServerResponse): boolean {
    // The one whose turn it is to be answered has the connection.
    if (outgoing.socket !== null) return true;
    const { socket } = incoming;
    const waiting = this.#count(socket) + 1;
    this.#waiting.set(socket, waiting);
    outgoing.once('socket', () => this.#waiting.set(socket, this.#count(socket) - 1));
    return waiting <= this.#most;
  }

  #count(socket: Socket): number {
    return this.#waiting.get(socket) ?? 0;
  }
}
