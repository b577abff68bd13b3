import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Address, formatAddress } from '../config/address.ts';
import { Fold } from '../telemetry/fold.ts';
import type { Log } from '../telemetry/log.ts';

/** A port is often freed within a moment, by a process that is ending. */
const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 5_000;

const WHAT = { api: 'the API', ops: 'the listener for health and metrics' } as const;

/**
 * Keeps a server bound to its address: what fails is told and tried again, for ever.
 *
 * - binding: `listen` was called, or is going to be; `problem` says why it failed, if it did.
 * - bound: it stays so until the process ends.
 */
export class Binding {
  readonly #name: keyof typeof WHAT;
  readonly #server: Server;
  readonly #address: Address;
  readonly #log: Log;
  readonly #fold = new Fold();
  #failures = 0;
  #problem: string | undefined;

  constructor(name: keyof typeof WHAT, server: Server, address: Address, log: Log) {
    this.#name = name;
    this.#server = server;
    this.#address = address;
    this.#log = log;
    server.on('listening', () => this.#onListening());
    server.on('error', (error: NodeJS.ErrnoException) => this.#onError(error));
  }

  /** Why it does not listen at this moment, if it was tried and failed. */
  get problem(): string | undefined {
    return this.#problem;
  }

  start(): void {
    this.#server.listen(this.#address);
  }

  #onListening(): void {
    this.#problem = undefined;
    this.#failures = 0;
    const { address: host, port } = this.#server.address() as AddressInfo;
    this.#log.info({ listener: this.#name, address: formatAddress({ host, port }) }, 'listening');
  }

  #onError(error: NodeJS.ErrnoException): void {
    const code = error.code ?? 'unknown error';
    if (this.#server.listening) {
      // It could not accept a connection (no file descriptors); the others go on.
      this.#tell(code, 'a connection could not be accepted');
      return;
    }
    const delay = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures);
    this.#failures += 1;
    this.#problem = `${WHAT[this.#name]} does not listen on ${formatAddress(this.#address)}: ${this.#explain(code)}; it is tried again`;
    this.#tell(code, this.#problem);
    setTimeout(() => this.start(), delay);
  }

  #tell(code: string, message: string): void {
    const fields = { listener: this.#name, port: this.#address.port, code };
    this.#fold.tell(code, (repeated) => this.#log.error({ ...fields, repeated }, message));
  }

  #explain(code: string): string {
    const { port } = this.#address;
    if (code === 'EADDRINUSE') return `port ${port} is in use`;
    if (code === 'EACCES') return `port ${port} may not be bound (EACCES)`;
    if (code === 'EADDRNOTAVAIL') return 'this host has no such address (EADDRNOTAVAIL)';
    return code;
  }
}
