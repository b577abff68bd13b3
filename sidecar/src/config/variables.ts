import { LOG_LEVELS, type LogLevel } from '../telemetry/log.ts';
import { type Address, addressOrOff, loopbackAddress } from './address.ts';
import { BadValue, shown } from './bad-value.ts';
import { duration } from './duration.ts';
import { quantity } from './quantity.ts';

/** One environment variable. The README's table is held against these. */
export interface Variable<T = unknown> {
  readonly name: string;
  /** Used when the variable is not set; absent where the variables together decide. */
  readonly fallback?: string;
  readonly about: string;
  /** @throws {BadValue} */
  readonly parse: (text: string) => T;
}

const DRIVERS = ['none', 'sqlite', 'postgres', 'mysql'] as const;
export type Driver = (typeof DRIVERS)[number];

const MEBI = 1024 * 1024;
const HOUR_MS = 3_600_000;

/** One of a few words. */
function oneOf<T extends string>(words: readonly T[]): (text: string) => T {
  return (text) => {
    const word = words.find((known) => known === text);
    if (word === undefined) {
      throw new BadValue(`is ${shown(text)}; it must be one of ${words.join(', ')}`);
    }
    return word;
  };
}

const asIs = (text: string) => text;

export const DRIVER: Variable<Driver> = {
  name: 'STORAGE_DRIVER',
  about: '`none`, `sqlite`, `postgres` or `mysql`',
  parse: oneOf(DRIVERS),
};

export const SQLITE_PATH: Variable<string> = {
  name: 'STORAGE_SQLITE_PATH',
  about: 'path of the database file; selects sqlite',
  parse: asIs,
};

export const DSN: Variable<string> = {
  name: 'STORAGE_DSN',
  about: "a server's DSN; selects postgres or mysql",
  parse: asIs,
};

export const DSN_FILE: Variable<string> = {
  name: 'STORAGE_DSN_FILE',
  about: 'a file that holds the DSN; goes before STORAGE_DSN if it exists and is not blank',
  parse: asIs,
};

export const API_ADDRESS: Variable<Address> = {
  name: 'STORAGE_API_ADDRESS',
  fallback: '127.0.0.1:8085',
  about: 'the API; a loopback address, nothing else',
  parse: loopbackAddress,
};

export const OPS_ADDRESS: Variable<Address | 'off'> = {
  name: 'STORAGE_OPS_ADDRESS',
  fallback: ':8086',
  about: 'health and metrics, on all IPv4 and IPv6 addresses; `off` for none',
  parse: addressOrOff,
};

export const QUEUE_BYTES: Variable<number> = {
  name: 'STORAGE_QUEUE_BYTES',
  fallback: '32Mi',
  about: 'bound of the queue, in bytes of the records held, as a Kubernetes quantity',
  parse: quantity({ min: 1, max: Number.MAX_SAFE_INTEGER }),
};

export const SQLITE_CACHE: Variable<number> = {
  name: 'STORAGE_SQLITE_CACHE',
  fallback: '32Mi',
  about: "SQLite's page cache",
  // The cache lies in the WebAssembly heap, which ends at 2 GiB.
  parse: quantity({ min: MEBI / 16, max: 1024 * MEBI }),
};

export const SHUTDOWN_GRACE: Variable<number> = {
  name: 'STORAGE_SHUTDOWN_GRACE',
  fallback: '20s',
  about: 'how long a SIGTERM may drain',
  parse: duration(24 * HOUR_MS),
};

export const LOG_LEVEL: Variable<LogLevel> = {
  name: 'STORAGE_LOG_LEVEL',
  fallback: 'info',
  about: '`trace`, `debug`, `info`, `warn`, `error`, `fatal` or `silent`',
  parse: oneOf(LOG_LEVELS),
};

/** All that the sidecar reads, in the order of the README. */
export const VARIABLES: readonly Variable[] = [
  DRIVER,
  SQLITE_PATH,
  DSN,
  DSN_FILE,
  API_ADDRESS,
  OPS_ADDRESS,
  QUEUE_BYTES,
  SQLITE_CACHE,
  SHUTDOWN_GRACE,
  LOG_LEVEL,
];
