/** What pg's Client leaves open, closed: for a client that takes its settings from us alone. */

import type { Duplex } from 'node:stream';
import { Client, type ClientConfig, Connection } from 'pg';
import { BackendMessages } from './backend-messages.ts';
import { GarbledError } from './errors.ts';

/** Members of pg 8 that its types leave out. */
interface Internals {
  attachListeners(stream: Duplex): void;
  requestSsl(): void;
  cancel(processId: number, secretKey: number): void;
  connect(port: number, host: string): void;
}

/** How pg spells a socket's path; what it is told of a host it dials as it stands. */
function dialPath(port: number, host: string): string | undefined {
  return host.startsWith('/') ? `${host}/.s.PGSQL.${port}` : undefined;
}

/** What Postgres knows of a connection, to cancel its statement from another one. */
interface Backend {
  readonly processID: number | null;
  readonly secretKey: number | null;
}

export class PgClient extends Client {
  readonly #config: ClientConfig;

  constructor(config: ClientConfig) {
    super(config);
    this.#config = config;
    guardParser(this.connection);
  }

  /**
   * The start of a connection says nothing else: pg would add what it finds in PGOPTIONS and the
   * like, and poolers refuse what they do not track.
   */
  getStartupConf(): Readonly<Record<string, string | undefined>> {
    const { user, database, application_name } = this.#config;
    return { user, database, application_name };
  }

  /** Ends the connection at once, whatever is under way. */
  destroy(): void {
    this.connection.stream.destroy();
  }

  /**
   * Asks the server to cancel the statement that is under way, which may hold or wait for locks
   * long after its connection was given up. Nobody is told whether it did.
   *
   * @param timeoutMs how long the request may take to be sent
   */
  cancelStatement(timeoutMs: number): void {
    const { processID, secretKey } = this as unknown as Backend;
    if (processID === null || secretKey === null) return;
    const { host = '', port = 5432, ssl = false } = this.#config;
    const connection = new Connection({ ssl });
    guardParser(connection);
    const internals = connection as unknown as Internals;
    const timer = setTimeout(() => connection.stream.destroy(), timeoutMs).unref();
    const send = () => internals.cancel(processID, secretKey);
    connection.on('connect', () => (ssl === false ? send() : internals.requestSsl()));
    connection.on('sslconnect', send);
    connection.on('error', () => connection.stream.destroy());
    connection.on('end', () => clearTimeout(timer));
    // A path takes the place of the port, as in net.connect.
    internals.connect((dialPath(port, host) ?? port) as number, host);
  }
}

/**
 * Puts a check between the socket and pg's parser, which at bytes that no Postgres sends throws out
 * of the socket's event and so past every handler, or does not end: they end this connection only.
 */
function guardParser(connection: Connection): void {
  const internals = connection as unknown as Internals;
  const attach = internals.attachListeners.bind(connection);
  internals.attachListeners = (stream) => {
    const before = new Set(stream.listeners('data'));
    attach(stream);
    const messages = new BackendMessages();
    for (const parse of stream.listeners('data')) {
      if (before.has(parse)) continue;
      stream.off('data', parse as (chunk: Buffer) => void);
      stream.on('data', (chunk: Buffer) => {
        try {
          const whole = messages.take(chunk);
          if (whole.length > 0) parse.call(stream, whole);
        } catch {
          stream.destroy(new GarbledError());
        }
      });
    }
  };
}
