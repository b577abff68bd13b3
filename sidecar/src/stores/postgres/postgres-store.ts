import type { ServerDsn } from '../../config/server-dsn.ts';
import type { ListQuery, Page } from '../../records/list.ts';
import type { Rows } from '../../records/rows.ts';
import { Fold } from '../../telemetry/fold.ts';
import type { Log } from '../../telemetry/log.ts';
import { connectionGauges } from '../server/connection-gauges.ts';
import type { DsnSource } from '../server/dsn-source.ts';
import type { Step } from '../server/migrations.ts';
import { Readers } from '../server/readers.ts';
import { Recheck } from '../server/recheck.ts';
import type { Appended, Gauge, Store } from '../store.ts';
import { StoreError } from '../store-error.ts';
import { APPEND_MS, appendRows } from './append.ts';
import { Names } from './ddl.ts';
import { isRefusal, postgresError } from './errors.ts';
import { readPage } from './list/read-page.ts';
import { lookAgain, prepareSchema, type StepContext } from './schema.ts';
import { checkRights, checkServer } from './server-check.ts';
import { Session } from './session.ts';
import { rehearse } from './trial-write.ts';

export interface PostgresStoreOptions {
  readonly source: DsnSource;
  /** Of this build. */
  readonly version: string;
  readonly log: Log;
  /** Milliseconds that a batch may take before it is cancelled and tried again. */
  readonly appendMs?: number;
  /** Milliseconds after which an append looks at the tables again. */
  readonly recheckMs?: number;
  /** Of the schema, where they are not this build's own. */
  readonly steps?: readonly Step<StepContext>[];
}

/** How long a look at the server's settings, or at the tables, may take. */
const LOOK_MS = 10_000;
/** Connections for lists. */
const READERS = 3;

/** Creates the store that keeps records in Postgres. Nothing is connected before `open`. */
export function postgresStore(options: PostgresStoreOptions): Store {
  return new PostgresStore(options);
}

/** A connection for appends, on a database that was looked at. */
interface Writer {
  readonly session: Session;
  readonly names: Names;
}

/**
 * The store on a Postgres server, or what speaks its protocol. One connection appends, a few others
 * list:
 *
 * - closed: not connected. `open` reads the DSN, connects, looks at settings, schema and rights.
 * - open: there is a writer. One that an idle hour has taken away is replaced by the next append.
 * - failed: a call failed and its connection was given up; `open` connects anew. Lists are refused
 *   with what the failure said.
 * - ended: after `close`, for good.
 */
class PostgresStore implements Store {
  readonly driver = 'postgres';
  readonly #options: PostgresStoreOptions;
  readonly #log: Log;
  readonly #readers: Readers<Session>;
  readonly #fold = new Fold();
  readonly #recheck: Recheck;
  #writer: Writer | undefined;
  #opening: Promise<Writer> | undefined;
  #failure = new StoreError('the database is not open');
  #isOpen = false;
  #ended = false;
  #connectionsMade = 0;
  #warnings: readonly string[] = [];

  constructor(options: PostgresStoreOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#recheck = new Recheck(options.recheckMs);
    this.#readers = new Readers(async () => this.#dial(await options.source.current()), READERS);
  }

  async open(): Promise<void> {
    await this.#ready();
  }

  async append(rows: Rows): Promise<Appended> {
    this.#refuseUnlessOpen();
    const { session, names } = await this.#ready();
    const { appendMs = APPEND_MS } = this.#options;
    try {
      if (this.#recheck.isDue) await this.#lookAgain(session, names);
      return { duplicates: await appendRows(session, names, rows, appendMs) };
    } catch (error) {
      const failure = postgresError('append', error, { refusable: true });
      if (!isRefusal(error)) {
        session.destroy();
        this.#fail(failure);
      }
      throw failure;
    }
  }

  async list(query: ListQuery, signal?: AbortSignal): Promise<Page> {
    this.#refuseUnlessOpen();
    const names = this.#writer?.names;
    if (names === undefined) throw this.#failure;
    try {
      return await this.#readers.use((session) => readPage(session, names, query, signal));
    } catch (error) {
      throw postgresError('list', error);
    }
  }

  async probe(): Promise<void> {
    this.#refuseUnlessOpen();
    const { session, names } = await this.#ready();
    try {
      await rehearse(session, names);
      await this.#lookAgain(session, names);
    } catch (error) {
      // A trial write has no record that could be refused.
      session.destroy();
      const failure = postgresError('write', error);
      this.#fail(failure);
      throw failure;
    }
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

  async close(): Promise<void> {
    this.#ended = true;
    this.#isOpen = false;
    this.#failure = new StoreError('the store is closed');
    this.#readers.end();
    this.#writer?.session.end();
    this.#writer = undefined;
  }

  /** The writer, connected anew if it is lost. */
  async #ready(): Promise<Writer> {
    const writer = this.#writer;
    if (writer?.session.isUsable === true) return writer;
    this.#opening ??= this.#connect();
    try {
      return await this.#opening;
    } catch (error) {
      const failure = postgresError('open the database', error);
      this.#fail(failure);
      throw failure;
    } finally {
      this.#opening = undefined;
    }
  }

  async #connect(): Promise<Writer> {
    if (this.#ended) throw this.#failure;
    const { source, version, steps } = this.#options;
    const dsn = await source.current();
    const session = await this.#dial(dsn);
    try {
      const names = new Names(dsn.schema);
      const server = await checkServer(session, LOOK_MS);
      const schema = { version, ...(steps === undefined ? {} : { steps }) };
      const { migrated, warnings } = await prepareSchema(session, names, schema);
      await checkRights(session, names, server.role, LOOK_MS);
      if (this.#ended) throw this.#failure;
      this.#writer = { session, names };
      this.#recheck.done();
      this.#isOpen = true;
      this.#readers.dropIdle();
      this.#warn([...server.warnings, ...warnings]);
      const { serverVersion: server_version } = server;
      // A server that lets in and takes no writes is dialled again and again.
      this.#fold.tell(`connected ${migrated?.to}`, (repeated) =>
        this.#log.info({ server_version, ...migrated, repeated }, 'connected to Postgres'),
      );
      return this.#writer;
    } catch (error) {
      session.destroy();
      throw error;
    }
  }

  async #lookAgain(session: Session, names: Names): Promise<void> {
    await lookAgain(session, names, LOOK_MS);
    this.#recheck.done();
  }

  async #dial(dsn: ServerDsn): Promise<Session> {
    const session = await Session.connect(dsn);
    this.#connectionsMade += 1;
    return session;
  }

  #warn(warnings: readonly string[]): void {
    for (const warning of warnings) {
      if (!this.#warnings.includes(warning)) this.#log.warn(warning);
    }
    this.#warnings = warnings;
  }

  #fail(failure: StoreError): void {
    if (this.#ended) return;
    this.#isOpen = false;
    this.#failure = failure;
  }

  #refuseUnlessOpen(): void {
    if (!this.#isOpen) throw new StoreError(this.#failure.message, hintOf(this.#failure));
  }
}

function hintOf({ hint }: StoreError): { hint?: string } {
  return hint === undefined ? {} : { hint };
}
