import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

/**
 * Knows the connections that end with a request which offers another protocol (RFC 9110, section
 * 7.8), as Java's HTTP client does with its first one. Nothing here speaks another, and the request is
 * served as any other. But Node's parser stops behind it and throws away the rest of what was read
 * with it: what comes next may begin anywhere, even within a body, and must not be taken for a
 * request.
 */
export class Upgrades {
  readonly #offers = new WeakMap<Duplex, IncomingMessage>();

  /** Node's `shouldUpgradeCallback`: it is asked of each such request, and of no other. */
  readonly decline = (incoming: IncomingMessage): boolean => {
    if (!this.#offers.has(incoming.socket)) this.#offers.set(incoming.socket, incoming);
    return false;
  };

  /** The last request of a connection, whose answer must end it; nothing behind it is one. */
  lastOf(socket: Duplex): IncomingMessage | undefined {
    return this.#offers.get(socket);
  }
}
