import type { LogLevel } from '../telemetry/log.ts';
import { type Address, collide } from './address.ts';
import { readSmallFile } from './small-file.ts';
import { chooseStorage, type Storage } from './storage.ts';
import { unknownNames } from './unknown-names.ts';
import * as variables from './variables.ts';

/** All that the environment can say. */
export interface Config {
  readonly storage: Storage;
  /** Absent when the variable is bad: then the API does not listen. */
  readonly api: Address | undefined;
  /** Absent when it is off, or when the variable is bad. */
  readonly ops: Address | undefined;
  readonly queueBytes: number;
  readonly sqliteCacheBytes: number;
  readonly shutdownGraceMs: number;
  readonly logLevel: LogLevel;
}

export interface Loaded {
  readonly config: Config;
  /** What is wrong. The process runs nevertheless, as far as it can. */
  readonly errors: readonly string[];
  /** What is likely a mistake. */
  readonly warnings: readonly string[];
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** How the reason why storage cannot work stands among the errors. */
export function storageError(unusable: string): string {
  return `storage is down: ${unusable}`;
}

/** The largest record takes about this much of the queue. */
const LARGEST_RECORD_BYTES = 128 * 1024;

/**
 * Reads the environment. Tells every problem at once, never throws, and never puts a secret, or
 * what could be one, in a message.
 *
 * @param env the environment; an empty string counts as unset
 * @param read reads the file that STORAGE_DSN_FILE names
 */
export function loadConfig(env: Environment, read = readSmallFile): Loaded {
  const errors: string[] = [];
  const warnings: string[] = [];
  const get = ({ name }: variables.Variable) => env[name] || undefined;

  /** A bad value is an error; what is used instead, if anything, is said with it. */
  function value<T>(variable: variables.Variable<T>, instead: T | undefined, consequence: string) {
    const text = get(variable) ?? variable.fallback ?? '';
    try {
      return variable.parse(text);
    } catch (error) {
      errors.push(`${variable.name} ${(error as Error).message}; ${consequence}`);
      return instead;
    }
  }

  function orDefault<T>(variable: variables.Variable<T> & { readonly fallback?: string }): T {
    const fallback = variable.parse(variable.fallback ?? '');
    return value(variable, fallback, `${variable.fallback} is used`) ?? fallback;
  }

  const storage = chooseStorage(
    {
      driver: get(variables.DRIVER),
      path: get(variables.SQLITE_PATH),
      dsn: get(variables.DSN),
      dsnFile: get(variables.DSN_FILE),
    },
    read,
    (warning) => warnings.push(warning),
  );
  if ('unusable' in storage) errors.push(storageError(storage.unusable));

  const api = value(variables.API_ADDRESS, undefined, 'the API does not listen');
  const opsOrOff = value(variables.OPS_ADDRESS, undefined, 'health and metrics are not served');
  const ops = opsOrOff === 'off' ? undefined : opsOrOff;
  if (api !== undefined && ops !== undefined && collide(api, ops)) {
    errors.push(
      `${variables.API_ADDRESS.name} and ${variables.OPS_ADDRESS.name} name the same port, ${api.port}; only one of them can listen`,
    );
  }

  const config = {
    storage,
    api,
    ops,
    queueBytes: orDefault(variables.QUEUE_BYTES),
    sqliteCacheBytes: orDefault(variables.SQLITE_CACHE),
    shutdownGraceMs: orDefault(variables.SHUTDOWN_GRACE),
    logLevel: orDefault(variables.LOG_LEVEL),
  };
  if (config.queueBytes < LARGEST_RECORD_BYTES) {
    warnings.push(
      `${variables.QUEUE_BYTES.name} is ${config.queueBytes} bytes; the largest record does not fit a queue below 128Ki`,
    );
  }
  warnings.push(...unknownNames(env));
  return { config, errors, warnings };
}
