import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2';
import { makeData } from './data-template.ts';
import { freePort } from './free-port.ts';

const run = promisify(execFile);

const INSTALL = 'apt-get install --no-install-recommends mariadb-server';
const START_MS = 60_000;

export interface MariadbOptions {
  /** More options of mariadbd, such as `--read-only` or `--ssl-ca=...`. */
  readonly args?: readonly string[];
  /** An existing directory for the data, such as a small tmpfs; else a temporary one. */
  readonly directory?: string;
}

/**
 * Starts Debian's MariaDB on a data directory of its own and a free port.
 *
 *     await using server = await startMariadb();
 *     const dsn = server.dsn(await server.createDatabase());
 *
 * Its user `root` has no password; {@link MariadbServer.dsn} makes other logins. The process ends with
 * the test's.
 */
export async function startMariadb(options: MariadbOptions = {}): Promise<MariadbServer> {
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'agenttier-mariadb-')));
  const owner = process.getuid?.() === 0 ? await mysqlUser() : undefined;
  if (owner !== undefined) {
    await chown(directory, owner.uid, owner.gid);
    await chmod(directory, 0o755);
  }
  const server = new MariadbServer(directory, await freePort(), options, owner);
  try {
    await server.install();
    await server.start();
    return server;
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** MariaDB refuses to run as root. */
async function mysqlUser(): Promise<Owner> {
  const line = (await readFile('/etc/passwd', 'utf8'))
    .split('\n')
    .find((entry) => entry.startsWith('mysql:'));
  if (line === undefined) throw new Error(`there is no user mysql: ${INSTALL}`);
  const [, , uid, gid] = line.split(':');
  return { uid: Number(uid), gid: Number(gid) };
}

function program(name: string): string {
  const found = ['/usr/sbin', '/usr/bin', '/usr/local/bin']
    .map((directory) => join(directory, name))
    .find((path) => existsSync(path));
  if (found === undefined) throw new Error(`${name} is missing: ${INSTALL}`);
  return found;
}

export class MariadbServer {
  readonly directory: string;
  readonly port: number;
  /** More options of mariadbd; take effect at the next start. */
  args: readonly string[];
  readonly #ownDirectory: boolean;
  readonly #owner: Owner | undefined;
  #child: ChildProcess | undefined;
  #log = '';
  #databases = 0;

  constructor(
    directory: string,
    port: number,
    options: MariadbOptions,
    owner: { readonly uid: number; readonly gid: number } | undefined,
  ) {
    this.directory = directory;
    this.port = port;
    this.args = options.args ?? [];
    this.#ownDirectory = options.directory === undefined;
    this.#owner = owner;
  }

  get socket(): string {
    return join(this.directory, 'socket');
  }

  /** What the server has said on its standard error. */
  get log(): string {
    return this.#log;
  }

  get pid(): number {
    return this.#child?.pid as number;
  }

  /** Makes the data directory. */
  async install(): Promise<void> {
    const owner = this.#owner;
    const give = async (directory: string) => {
      if (owner !== undefined) await chown(directory, owner.uid, owner.gid);
    };
    const make = async (directory: string) => {
      await run(program('mariadb-install-db'), [
        '--no-defaults',
        '--auth-root-authentication-method=normal',
        '--skip-test-db',
        `--datadir=${directory}`,
        ...this.#ownTemporaryFiles(),
        ...SMALL_FILES,
        ...(owner === undefined ? [] : ['--user=mysql']),
      ]);
    };
    const data = join(this.directory, 'data');
    await mkdir(data);
    await give(data);
    await makeData('mariadb', data, give, make);
  }

  /** Starts the server and waits until it answers. */
  async start(): Promise<void> {
    const command = [
      program('mariadbd'),
      '--no-defaults',
      `--datadir=${join(this.directory, 'data')}`,
      ...this.#ownTemporaryFiles(),
      `--socket=${this.socket}`,
      `--pid-file=${join(this.directory, 'pid')}`,
      `--port=${this.port}`,
      '--bind-address=127.0.0.1',
      '--skip-name-resolve',
      ...SMALL_FILES,
      ...this.args,
    ];
    // A server must not outlive a test process that is killed.
    const guard = [program('setpriv'), '--pdeathsig', 'KILL'];
    const owner = this.#owner;
    if (owner !== undefined) {
      guard.push('--reuid', `${owner.uid}`, '--regid', `${owner.gid}`, '--clear-groups');
    }
    const [first = '', ...rest] = [...guard, ...command];
    const child = spawn(first, rest, { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#log += text;
    });
    this.#child = child;
    const deadline = performance.now() + START_MS;
    for (;;) {
      try {
        await this.sql('SELECT 1');
        return;
      } catch (error) {
        const ended = child.exitCode !== null || child.signalCode !== null;
        if (ended || performance.now() > deadline) {
          throw new Error(`mariadbd did not start:\n${this.#log.slice(-4_000)}`, { cause: error });
        }
      }
      await sleep(20);
    }
  }

  /** Stops it in order. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  /** kill -9. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Lets it hang, or go on. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal);
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Makes an empty database of a name of its own. */
  async createDatabase(): Promise<string> {
    this.#databases += 1;
    const name = `records_${process.pid}_${this.#databases}`;
    await this.sql(`CREATE DATABASE ${name}`);
    return name;
  }

  /** In Go's form, by TCP, as root unless a login (`user:password`) is given. */
  dsn(database: string, login = 'root', port = this.port): string {
    return `${login}@tcp(127.0.0.1:${port})/${database}`;
  }

  /** Runs a statement as root by a connection of its own; answers its rows. */
  async sql(text: string, database?: string): Promise<Record<string, unknown>[]> {
    const connection = this.connect(database);
    try {
      return await query(connection, text);
    } finally {
      connection.destroy();
    }
  }

  /** Another connection as root, for what must stay open. End it by `destroy()`. */
  connect(database?: string): Connection {
    const connection = createConnection({
      socketPath: this.socket,
      user: 'root',
      ...(database === undefined ? {} : { database }),
      charset: 'utf8mb4',
      supportBigNumbers: true,
      bigNumberStrings: true,
      multipleStatements: true,
    });
    connection.on('error', () => {}); // Each query tells its own.
    return connection;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    const path = this.#ownDirectory ? this.directory : join(this.directory, 'data');
    await rm(path, { recursive: true, force: true, maxRetries: 5 });
  }

  /** A server that starts removes what it takes for its own temporary tables, others' included. */
  #ownTemporaryFiles(): string[] {
    return [`--tmpdir=${this.directory}`];
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGCONT');
    child.kill(signal);
    await ended;
  }
}

/** Runs a statement on a connection; answers its rows. */
export function query(connection: Connection, text: string): Promise<Record<string, unknown>[]> {
  return new Promise((resolve, reject) => {
    connection.query(text, (error, rows) => {
      if (error === null) resolve(Array.isArray(rows) ? (rows as RowDataPacket[]) : []);
      else reject(error);
    });
  });
}

/** A server of a test holds little and starts often. */
const SMALL_FILES = [
  '--innodb-data-file-path=ibdata1:10M:autoextend',
  '--innodb-log-file-size=8M',
  '--innodb-buffer-pool-size=32M',
];
