import type { ServerDsn } from '../../config/server-dsn.ts';
import type { ListQuery, Page } from '../../records/list.ts';
import type { Rows } from '../../records/rows.ts';
import { Fold } from '../../telemetry/fold.ts';
import type { Log } from '../../telemetry/log.ts';
import { connectionGauges } from '../server/connection-gauges.ts';
import { atHost, type DialTarget, dial } from '../server/dial.ts';
import type { DsnSource } from '../server/dsn-source.ts';
import type { Step } from '../server/migrations.ts';
import { Readers } from '../server/readers.ts';
import { Recheck } from '../server/recheck.ts';
import type { Appended, Gauge, Store } from '../store.ts';
import { StoreError } from '../store-error.ts';
import { trialRows } from '../trial-rows.ts';
import { appendRows, rehearseRows } from './append.ts';
import { errorNumber, keepsConnection, serverError } from './errors.ts';
import { readPage } from './list.ts';
import { migrate, type Schema } from './migrate.ts';
import { prepareSession, type ServerFacts } from './server-facts.ts';
import { Session } from './session.ts';
import { checkTables } from './table-check.ts';

export interface MysqlStoreOptions {
  /** Asked at each connection attempt. */
  readonly source: DsnSource;
  /** Of this build. */
  readonly version: string;
  readonly log: Log;
  /** Of the schema, in place of this build's. */
  readonly steps?: readonly Step<Session>[];
  /** Milliseconds after which an append looks at the tables again. */
  readonly recheckMs?: number;
}

/** Creates the store that keeps records in MySQL, MariaDB or what speaks their protocol. */
export function mysqlStore(options: MysqlStoreOptions): Store {
  return new MysqlStore(options);
}

const ROLLBACK_MS = 5_000;
/** Connections for lists. */
const READERS = 4;

const PRIMARY = 'point the DSN at the primary, or name all hosts in it';

type Purpose = 'read' | 'write';

/** A connection that is ready for records. */
interface Writer {
  readonly session: Session;
  readonly facts: ServerFacts;
}

/**
 * One connection writes, up to four read:
 *
 * - closed: nothing is connected. `open` asks for the DSN, dials, and looks at the schema.
 * - open: the writer's connection is good. Lists borrow connections of their own.
 * - failed: the writer's connection broke, or the server refused in a way that a new connection may
 *   heal (read-only, schema changed, too long without an answer): it is cut, and `open` dials anew.
 *   Lists go on as long as they reach a server.
 * - ended: after `close`, for good.
 */
class MysqlStore implements Store {
  readonly driver = 'mysql';
  readonly #options: MysqlStoreOptions;
  readonly #log: Log;
  readonly #readers: Readers<Session>;
  readonly #fold = new Fold();
  readonly #recheck: Recheck;
  #writer: Writer | undefined;
  /** Being connected; cut when the store is closed. */
  readonly #connecting = new Set<Session>();
  #warnings: readonly string[] = [];
  /** Set by the first `open` that succeeded: lists make sense from then on. */
  #wasOpen = false;
  /** Index of the host that the next `open` tries first: the DSN's first, unless that let us down. */
  #firstToOpen = 0;
  /** Index of the host that the last `open` chose; lists look there first. */
  #home = 0;
  #ended = false;
  #connectionsMade = 0;

  constructor(options: MysqlStoreOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#recheck = new Recheck(options.recheckMs);
    const connect = async () => (await this.#connect(this.#home, 'read')).session;
    this.#readers = new Readers(connect, READERS);
  }

  async open(): Promise<void> {
    this.#refuseIfEnded();
    if (this.#writer?.session.isUsable === true) return;
    this.#writer?.session.destroy();
    this.#writer = undefined;
    const first = this.#firstToOpen;
    this.#firstToOpen = 0;
    const writer = await this.#connect(first, 'write');
    const { session, facts } = writer;
    const { dsn, target } = session;
    const host = dsn.hosts.indexOf(target.address);
    let schema: Schema;
    try {
      const again = async () => (await this.#connectOne(target, dsn, 'write')).session;
      schema = await migrate(session, again, this.#options);
      this.#refuseIfEnded();
    } catch (error) {
      session.destroy();
      // One that lets us in and fails then must not keep us from the others.
      this.#firstToOpen = (host + 1) % dsn.hosts.length;
      throw atHost(dsn, target.address, serverError('prepare the database', error));
    }
    this.#writer = writer;
    this.#recheck.done();
    this.#home = host;
    this.#wasOpen = true;
    const { migrated, warnings } = schema;
    if (migrated !== undefined) this.#log.info({ ...migrated }, 'migrated the database');
    this.#warn([...facts.warnings, ...warnings]);
    // A server that lets in and takes no writes is dialled again and again.
    this.#fold.tell('open', (repeated) =>
      this.#log.info({ server: facts.version, repeated }, 'database is open'),
    );
  }

  async append(rows: Rows): Promise<Appended> {
    const { session, facts } = this.#ready;
    try {
      if (this.#recheck.isDue) await this.#lookAgain(session);
      return await appendRows(session, rows, facts.maxPacketBytes);
    } catch (error) {
      throw await this.#afterFailure(session, 'append', error);
    }
  }

  async probe(): Promise<void> {
    const { session } = this.#ready;
    try {
      await rehearseRows(session, trialRows(Date.now()));
      await this.#lookAgain(session);
    } catch (error) {
      throw await this.#afterFailure(session, 'write', error);
    }
  }

  async list(query: ListQuery, signal?: AbortSignal): Promise<Page> {
    this.#refuseIfEnded();
    if (!this.#wasOpen) throw new StoreError('the database is not open');
    return this.#readers.use(async (session) => {
      try {
        return await readPage(session, query, signal);
      } catch (error) {
        throw serverError('list', error);
      }
    });
  }

  isLost(): boolean {
    return this.#writer?.session.isUsable === false;
  }

  warnings(): readonly string[] {
    return this.#warnings;
  }

  gauges(): readonly Gauge[] {
    const writing = this.#writer?.session.isUsable === true ? 1 : 0;
    return connectionGauges(this.#readers.count + writing, this.#connectionsMade);
  }

  async close(signal: AbortSignal): Promise<void> {
    this.#ended = true;
    this.#readers.end();
    for (const session of this.#connecting) session.destroy();
    const session = this.#writer?.session;
    if (session === undefined) return;
    if (signal.aborted) return session.destroy();
    const cut = () => session.destroy();
    signal.addEventListener('abort', cut, { once: true });
    await session.end();
    signal.removeEventListener('abort', cut);
  }

  /** Looks whether tables that were found sound are so still. Of one that is gone a write tells. */
  async #lookAgain(session: Session): Promise<void> {
    try {
      await checkTables(session, false);
    } catch (error) {
      // No record is to blame for what was altered.
      throw serverError('look at the tables', error);
    }
    this.#recheck.done();
  }

  get #ready(): Writer {
    this.#refuseIfEnded();
    if (this.#writer === undefined) throw new StoreError('the database is not open');
    return this.#writer;
  }

  #warn(warnings: readonly string[]): void {
    for (const warning of warnings) {
      if (!this.#warnings.includes(warning)) this.#log.warn(warning);
    }
    this.#warnings = warnings;
  }

  #refuseIfEnded(): void {
    if (this.#ended) throw new StoreError('the store is closed');
  }

  /**
   * Dials the hosts of the DSN as it is now. One that is read-only is passed over, for lists only
   * where the DSN asks for that or names several.
   *
   * @param first index of the host to begin with
   */
  async #connect(first: number, purpose: Purpose): Promise<Writer> {
    const dsn = await this.#options.source.current();
    const describe = (error: unknown) => serverError('connect', error);
    return dial(dsn, (target) => this.#connectOne(target, dsn, purpose), { describe, first });
  }

  async #connectOne(target: DialTarget, dsn: ServerDsn, purpose: Purpose): Promise<Writer> {
    this.#refuseIfEnded();
    const session = new Session(target, dsn);
    this.#connecting.add(session);
    // Everything up to a usable session counts, so that a server which hangs holds up no other host.
    const cut = setTimeout(() => session.giveUp(target.timeoutMs), target.timeoutMs);
    try {
      await session.login();
      const facts = await prepareSession(session);
      const isAlone = dsn.hosts.length === 1;
      // Privileged users may write to a replica, and what they write there is lost.
      const writable = purpose === 'write' || dsn.readWrite || !isAlone;
      if (writable && facts.isReadOnly) {
        throw new StoreError('the server is read-only', isAlone ? { hint: PRIMARY } : {});
      }
      this.#connectionsMade += 1;
      return { session, facts };
    } catch (error) {
      session.destroy();
      throw error;
    } finally {
      clearTimeout(cut);
      this.#connecting.delete(session);
    }
  }

  /**
   * Ends what is left of the transaction; an error like a lock's timeout undoes its own statement
   * alone. Where that does not leave a connection that is as good as new, it is cut.
   */
  async #afterFailure(session: Session, doing: string, error: unknown): Promise<StoreError> {
    let good = keepsConnection(error) && session.isUsable;
    if (good) {
      good = await session.run('ROLLBACK', ROLLBACK_MS).then(
        () => true,
        () => false,
      );
    }
    if (!good) session.destroy();
    // After a failover the readers, too, would go on with the server of before.
    if (!good && errorNumber(error) !== undefined) this.#readers.drop();
    return serverError(doing, error, { refusable: true });
  }
}
