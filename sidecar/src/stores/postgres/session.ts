import type { ServerDsn } from '../../config/server-dsn.ts';
import { type DialTarget, dial } from '../server/dial.ts';
import { tlsOptions } from '../server/tls-options.ts';
import { StoreError } from '../store-error.ts';
import { isRefusal, postgresError, TimeoutError, UnreplicatedError } from './errors.ts';
import { PgClient } from './pg-client.ts';

/** A value that pg sends: a Buffer goes as it is, in the binary form of its type. */
export type Parameter = string | number | Buffer | readonly string[];

/** A row as the texts that the server sent. */
export type TextRow = readonly (string | null)[];

const KEEP_ALIVE_MS = 30_000;
const CANCEL_MS = 5_000;
/**
 * Where the server warns that it stopped waiting for a synchronous standby, with the rows committed
 * and visible (src/backend/replication/syncrep.c). It has no code of its own, its text is translated.
 */
const SYNC_REP_WAIT = 'SyncRepWaitForLSN';
/** Shown in pg_stat_activity unless the DSN says otherwise. */
const APPLICATION_NAME = 'agenttier-storage';

/**
 * One connection to Postgres. A call that fails gives it up, but for one in which the server
 * refused a record's value: what state it would be in is not worth knowing.
 *
 * It asks for no session state (no SET beyond a transaction, no named statement), so a pooler that
 * hands out a server connection for each transaction may stand between.
 */
export class Session {
  readonly #client: PgClient;
  #lost = false;
  /** Whether a commit of the call under way is not known to be on a standby. */
  #unreplicated = false;

  constructor(client: PgClient) {
    this.#client = client;
    client.on('end', () => {
      this.#lost = true;
    });
    // The server says goodbye to an idle connection a moment before its end is seen.
    client.on('error', () => this.destroy());
    client.on('notice', ({ routine }) => {
      if (routine === SYNC_REP_WAIT) this.#unreplicated = true;
    });
  }

  /**
   * Connects to the first host of the DSN that will have us. A host that is read-only is passed
   * over where the DSN asks for that or names several.
   *
   * @throws {StoreError}
   */
  static async connect(dsn: ServerDsn): Promise<Session> {
    const writable = dsn.readWrite || dsn.hosts.length > 1;
    return dial(dsn, (target) => connectTo(dsn, target, writable), {
      describe: (error) => postgresError('connect to Postgres', error),
    });
  }

  get isUsable(): boolean {
    return !this.#lost;
  }

  /**
   * Runs one statement, or several without values, and answers the rows of all of them.
   *
   * @param timeoutMs after which the statement is cancelled and the connection given up
   * @throws what pg throws, {@link TimeoutError}, or {@link UnreplicatedError} where it was
   * committed, but the wait for a standby was cancelled
   */
  async query(
    sql: string,
    values: readonly Parameter[],
    timeoutMs: number,
  ): Promise<readonly TextRow[]> {
    if (this.#lost) throw new Error('Connection terminated');
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      this.#client.cancelStatement(CANCEL_MS);
      reject(new TimeoutError(timeoutMs / 1_000));
    }, timeoutMs);
    try {
      const answer = this.#client.query<(string | null)[]>({
        text: sql,
        values: values as unknown[],
        rowMode: 'array',
        types: AS_TEXT,
      });
      // Several statements have several results, which pg's types leave out.
      const results = [await Promise.race([answer, late])].flat();
      if (this.#unreplicated) throw new UnreplicatedError();
      return results.flatMap(({ rows }) => rows);
    } catch (error) {
      if (!isRefusal(error)) this.destroy();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#lost = true;
    this.#client.destroy();
  }

  /** Ends the connection in order; it is not waited for. */
  end(): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#client.end().catch(() => {});
    setTimeout(() => this.#client.destroy(), CANCEL_MS).unref();
  }
}

/** Values are read by who asked: an int8 does not fit a number. */
const AS_TEXT = { getTypeParser: () => (value: string) => value };

async function connectTo(
  dsn: ServerDsn,
  { address, tls, timeoutMs }: DialTarget,
  writable: boolean,
): Promise<Session> {
  // Whatever is left out here, pg takes from PGHOST and its like, or from ~/.pgpass.
  const client = new PgClient({
    host: 'socket' in address ? address.socket : address.host,
    port: address.port,
    user: dsn.user,
    password: () => dsn.password,
    database: dsn.database || dsn.user,
    application_name: dsn.applicationName ?? APPLICATION_NAME,
    ssl: tls === undefined ? false : tlsOptions(tls),
    sslnegotiation: 'postgres',
    connectionTimeoutMillis: timeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
  });
  // Without a listener an idle connection's end would end the process.
  client.on('error', () => {});
  try {
    await client.connect();
  } catch (error) {
    client.destroy();
    throw error;
  }
  const session = new Session(client);
  if (writable) await refuseReadOnly(session, timeoutMs);
  return session;
}

async function refuseReadOnly(session: Session, timeoutMs: number): Promise<void> {
  const [[answer] = []] = await session.query('SHOW transaction_read_only', [], timeoutMs);
  if (answer === 'off') return;
  session.end();
  throw new StoreError('the server is read-only', { hint: 'promote it, or name its primary' });
}
