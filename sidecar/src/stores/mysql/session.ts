import type { Socket } from 'node:net';
import { type Connection, type ConnectionOptions, createConnection, type QueryError } from 'mysql2';
import type { ServerDsn } from '../../config/server-dsn.ts';
import type { DialTarget } from '../server/dial.ts';
import { mysqlStream, mysqlTls } from '../server/tls-options.ts';
import { StoreError } from '../store-error.ts';

export type Value = string | number | null;

/** A row in the order of the columns asked for; BIGINT comes as digits. */
export type Row = readonly (string | number | null)[];

export interface Result {
  readonly rows: readonly Row[];
  /** Of an INSERT ... ON DUPLICATE KEY UPDATE that changes nothing: the rows that are new. */
  readonly affected: number;
}

/** How long a statement may take, in milliseconds; a server that is gone does not say so. */
const STATEMENT_MS = 30_000;
/** A goodbye is polite, not necessary. */
const END_MS = 1_000;
/** Prepared statements kept: the shapes of a batch, and of usual lists. */
const PREPARED_STATEMENTS = 128;

/** Far above what a server says before it has let us in. */
const LOGIN_PACKET_BYTES = 65_536;

/** Members of a connection that its types leave out. */
interface Internals {
  handlePacket: (packet?: { readonly sequenceId: number }) => unknown;
  /** That the next packet must have. */
  readonly sequenceId: number;
  packetParser: Pick<PacketParser, 'execute'>;
}

interface PacketParser {
  execute(chunk: Buffer): void;
  /** That its header claims, of the packet whose end has not come. */
  readonly length: number;
  /** What has come of that packet, from its sequence id on; empty between packets. */
  readonly buffer: readonly Buffer[];
  /** Of one that is longer than a packet may be. */
  readonly largePacketParts: readonly Buffer[];
}

/**
 * One connection, from dialling to its end. One statement at a time; a statement whose answer does
 * not come in time ends the connection, since the next one would wait behind it.
 */
export class Session {
  readonly target: DialTarget;
  readonly dsn: ServerDsn;
  readonly #connection: Connection;
  readonly #socket: Socket;
  #failure: Error | undefined;
  #isLoggedIn = false;
  /** Ends the wait of the statement under way. */
  #giveUp: ((error: Error) => void) | undefined;

  /** Begins to connect. */
  constructor(target: DialTarget, dsn: ServerDsn) {
    this.target = target;
    this.dsn = dsn;
    this.#socket = mysqlStream(target.address);
    this.#connection = createConnection({
      ...connectionOptions(target, dsn),
      stream: this.#socket,
    });
    this.#guardProtocol(this.#connection as unknown as Internals);
    this.#connection.on('error', (error) => this.#fail(error));
    this.#connection.on('end', () =>
      this.#fail(new StoreError('the server closed the connection')),
    );
  }

  /**
   * Waits until the server has let us in. Without a limit of its own: see {@link giveUp}.
   *
   * @throws the driver's own error
   */
  async login(): Promise<void> {
    await this.#wait(undefined, (done) => this.#connection.connect(done));
    this.#isLoggedIn = true;
  }

  get isUsable(): boolean {
    return this.#failure === undefined;
  }

  /** Runs a prepared statement: the only way for values into one. */
  execute(sql: string, values: readonly Value[] = [], timeoutMs = STATEMENT_MS): Promise<Result> {
    const rowsAsArray = true;
    return this.#wait(timeoutMs, (done) =>
      this.#connection.execute({ sql, rowsAsArray, values: [...values] }, done),
    );
  }

  /** Runs a statement that has no values, and that may be one which cannot be prepared. */
  run(sql: string, timeoutMs = STATEMENT_MS): Promise<Result> {
    return this.#wait(timeoutMs, (done) =>
      this.#connection.query({ sql, rowsAsArray: true }, done),
    );
  }

  /** Cuts the connection because the server took longer than this. */
  giveUp(afterMs: number): void {
    const tooLarge = true;
    this.#fail(
      new StoreError(`the server has not answered for ${afterMs / 1_000} s`, { tooLarge }),
    );
  }

  /** Takes leave of the server, for a second at most. */
  async end(): Promise<void> {
    if (this.isUsable) {
      const bye = this.#wait(END_MS, (done) => this.#connection.end((error) => done(error)));
      await bye.catch(() => {});
    }
    this.destroy();
  }

  /** Cuts the connection; the statement under way rejects. */
  destroy(error: Error = new StoreError('the connection was closed')): void {
    this.#fail(error);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#connection.destroy();
    // The driver's destroy only says goodbye, which nobody may be there to hear.
    this.#socket.destroy();
    this.#giveUp?.(error);
  }

  /**
   * What is not MySQL's protocol makes the driver throw in an event of the socket, where nobody
   * could catch it, or go on with a warning on standard error.
   */
  #guardProtocol(internals: Internals): void {
    const misunderstood = () =>
      this.#fail(new StoreError('the answer of the server is not understood'));
    const handlePacket = internals.handlePacket.bind(this.#connection);
    internals.handlePacket = (packet) => {
      try {
        const inOrder = packet === undefined || packet.sequenceId === internals.sequenceId;
        if (inOrder || this.#giveUp === undefined) return handlePacket(packet);
      } catch {
        // Told below.
      }
      misunderstood();
      return false;
    };
    // A header that claims megabytes would be waited for until the statement's time is up.
    const parser = internals.packetParser as PacketParser;
    internals.packetParser = {
      execute: (chunk) => {
        parser.execute(chunk);
        if (!this.#awaits(parser, internals.sequenceId)) misunderstood();
      },
    };
  }

  /** Whether the packet that has begun to come is one that may come now. */
  #awaits({ buffer, length, largePacketParts }: PacketParser, sequenceId: number): boolean {
    const id = buffer[0]?.[0];
    if (id === undefined || this.#giveUp === undefined) return true;
    if (!this.#isLoggedIn && length > LOGIN_PACKET_BYTES) return false;
    return id === (sequenceId + largePacketParts.length) % 256;
  }

  #wait(
    timeoutMs: number | undefined,
    begin: (done: (error: QueryError | null | undefined, answer?: unknown) => void) => void,
  ): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      const timer =
        timeoutMs === undefined ? undefined : setTimeout(() => this.giveUp(timeoutMs), timeoutMs);
      const settle = () => {
        clearTimeout(timer);
        this.#giveUp = undefined;
      };
      this.#giveUp = (error) => {
        settle();
        reject(error);
      };
      begin((error, answer) => {
        settle();
        if (error) {
          if (error.fatal) this.#fail(error);
          reject(error);
        } else {
          resolve(resultOf(answer));
        }
      });
    });
  }
}

function resultOf(answer: unknown): Result {
  if (Array.isArray(answer)) return { rows: answer as Row[], affected: 0 };
  const affected = (answer as { affectedRows?: number } | undefined)?.affectedRows ?? 0;
  return { rows: [], affected };
}

/** Says everything, so that no default of the driver decides. */
function connectionOptions(target: DialTarget, dsn: ServerDsn): ConnectionOptions {
  const { address, tls } = target;
  const place = 'host' in address ? { host: address.host } : { socketPath: address.socket };
  return {
    ...place,
    port: address.port,
    user: dsn.user,
    password: dsn.password,
    database: dsn.database,
    connectTimeout: 0, // Ours holds.
    ...(tls === undefined ? {} : { ssl: mysqlTls(tls) }),
    // FOUND_ROWS counts duplicates as affected; LOCAL_FILES lets the server ask for our files.
    flags: ['-FOUND_ROWS', '-LOCAL_FILES'],
    enableCleartextPlugin: false,
    charset: 'UTF8MB4_BIN',
    supportBigNumbers: true,
    bigNumberStrings: true,
    dateStrings: true,
    multipleStatements: false,
    maxPreparedStatements: PREPARED_STATEMENTS,
    ...(dsn.applicationName === undefined
      ? {}
      : { connectAttributes: { program_name: dsn.applicationName } }),
  };
}
