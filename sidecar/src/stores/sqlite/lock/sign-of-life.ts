import { once } from 'node:events';
import { readlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';

/** The kernel answers at once; only a machine that stands still takes longer. */
const ANSWER_MS = 500;

/**
 * Lets other processes see whether this one still exists, where they cannot look it up because
 * their container has process numbers of its own: a socket with a name and no file (an abstract
 * one, https://man7.org/linux/man-pages/man7/unix.7.html). It is seen by all that share the
 * network of this process, as the containers of a Pod do, and the kernel closes it when the last
 * thread has ended, one that hangs in a call to the disk included.
 */
export class SignOfLife {
  readonly #owner: string;
  #server: Server | undefined;
  #network = '';

  /** @param owner a name that no other has */
  constructor(owner: string) {
    this.#owner = owner;
  }

  /**
   * Begins, if it has not. Never rejects.
   *
   * @returns the network in which it is seen; empty where the system has no such sockets
   */
  async give(): Promise<string> {
    if (this.#server !== undefined) return this.#network;
    const network = await ownNetwork();
    const server = createServer((socket) => socket.destroy()).unref();
    this.#server = server;
    if (network === '') return '';
    try {
      server.listen(socketName(this.#owner));
      await once(server, 'listening');
      this.#network = network;
    } catch {
      // Then others go by the lock's age.
    }
    return this.#network;
  }

  /** Ends it. */
  end(): void {
    this.#server?.close();
    this.#server = undefined;
    this.#network = '';
  }
}

/**
 * Whether the sign of an owner is gone for sure, and so its process.
 *
 * @param network in which the owner gave it
 */
export async function isGone(owner: string, network: string): Promise<boolean> {
  if (network === '' || network !== (await ownNetwork())) return false;
  const socket = connect(socketName(owner));
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(ANSWER_MS) });
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
  } finally {
    socket.destroy();
  }
}

function socketName(owner: string): string {
  return `\0agenttier-storage/${owner}`;
}

/** Which network namespace this is, on which run of the kernel; empty where it cannot be told. */
function ownNetwork(): Promise<string> {
  return readlink('/proc/self/ns/net').catch(() => '');
}
