/** What a server says about itself, and what each session asks of it. */

import { StoreError } from '../store-error.ts';
import { errorNumber } from './errors.ts';
import type { Session } from './session.ts';

export interface ServerFacts {
  /** `10.11.19-MariaDB-0+deb12u1`. */
  readonly version: string;
  /** Bytes of the largest statement that it takes. */
  readonly maxPacketBytes: number;
  readonly isReadOnly: boolean;
  /** What works, and may break the promise of durability. */
  readonly warnings: readonly string[];
}

/** A row of 1,024 bytes a text and 65,535 in the long one, and its statement, must fit. */
const LEAST_PACKET_BYTES = 262_144;
/** Larger statements gain nothing. */
const MOST_PACKET_BYTES = 8 * 1_024 * 1_024;

/**
 * Seconds that a statement waits for rows, and for tables, that others have locked. The client gives
 * up later than that, so that the reason is known.
 */
const LOCK_WAIT_SECONDS = 8;
/**
 * Seconds after which the server ends a session that is silent: longer than the minute between trial
 * writes. What a vanished client held locked is then free.
 */
const WAIT_SECONDS = 150;
/** Likewise inside a transaction, where statements follow each other at once. */
const IDLE_TRANSACTION_SECONDS = 30;

const SETTINGS: Readonly<Record<string, string | number>> = {
  autocommit: 1,
  sql_mode: "'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
  innodb_lock_wait_timeout: LOCK_WAIT_SECONDS,
  lock_wait_timeout: LOCK_WAIT_SECONDS,
  wait_timeout: WAIT_SECONDS,
  idle_transaction_timeout: IDLE_TRANSACTION_SECONDS,
  // Without it InnoDB may take an event_id twice.
  unique_checks: 1,
  // A COMMIT or ROLLBACK ends the transaction and no more: with 2 it would end the session as well.
  completion_type: 0,
  // The default of transactions, by its older and its newer name. Of a server that takes no writes
  // the variables below tell.
  tx_read_only: 0,
  transaction_read_only: 0,
};

/** The default of the server; every SELECT and SHOW that asks for no fewer rows is cut off at it. */
const NO_SELECT_LIMIT = 'SET SESSION sql_select_limit = 18446744073709551615';
const NO_SUCH_VARIABLE = 1193;

/** Of the server; the second and third bind privileged users too. */
const READ_ONLY = ['read_only', 'super_read_only', 'innodb_read_only'] as const;

const FACTS = [
  'version',
  'max_allowed_packet',
  ...READ_ONLY,
  'wsrep_on',
  'wsrep_provider',
  'innodb_flush_log_at_trx_commit',
  'log_bin',
  'sync_binlog',
  'binlog_format',
] as const;

/**
 * Makes a new session independent of the server's defaults. Compatible engines lack one variable or
 * another, so it is asked first which there are.
 *
 * @throws the driver's error, or a StoreError when the server cannot be used
 */
export async function prepareSession(session: Session): Promise<ServerFacts> {
  await session.run('SET NAMES utf8mb4');
  await liftSelectLimit(session);
  const names = [...FACTS, ...Object.keys(SETTINGS)].map((name) => `'${name}'`).join(', ');
  const { rows } = await session.run(`SHOW VARIABLES WHERE Variable_name IN (${names})`);
  const variables = new Map(rows.map(([name, value]) => [String(name), String(value)]));
  const settings = Object.entries(SETTINGS).filter(([name]) => variables.has(name));
  await session.run(
    `SET ${settings.map(([name, value]) => `SESSION ${name} = ${value}`).join(', ')}`,
  );
  // Gaps that others have locked would only cause deadlocks. InnoDB refuses to log statements then.
  const byStatement =
    isOn(variables.get('log_bin')) && variables.get('binlog_format') === 'STATEMENT';
  const level = byStatement ? 'REPEATABLE READ' : 'READ COMMITTED';
  await session.run(`SET SESSION TRANSACTION ISOLATION LEVEL ${level}`);
  await refuseUnreadyNode(session, variables);
  return factsOf(variables);
}

/** Before anything is asked: what would be cut off is also the answer which variables there are. */
async function liftSelectLimit(session: Session): Promise<void> {
  try {
    await session.run(NO_SELECT_LIMIT);
  } catch (error) {
    if (errorNumber(error) !== NO_SUCH_VARIABLE) throw error;
  }
}

/** A node of Galera that has lost the others lets clients in, and refuses their statements (1047). */
async function refuseUnreadyNode(
  session: Session,
  variables: ReadonlyMap<string, string>,
): Promise<void> {
  const provider = variables.get('wsrep_provider') ?? 'none';
  if (!isOn(variables.get('wsrep_on')) || provider === 'none') return;
  const { rows } = await session.run("SHOW STATUS LIKE 'wsrep_ready'");
  if (rows[0]?.[1] !== 'OFF') return;
  throw new StoreError('the node is not ready for use (wsrep_ready is OFF)', {
    hint: 'check the state of the cluster',
  });
}

function factsOf(variables: ReadonlyMap<string, string>): ServerFacts {
  const packet = Number(variables.get('max_allowed_packet') ?? MOST_PACKET_BYTES);
  if (packet < LEAST_PACKET_BYTES) {
    throw new StoreError(`max_allowed_packet of the server is ${packet} bytes`, {
      hint: `raise it to ${LEAST_PACKET_BYTES} at least, so that every record fits`,
    });
  }
  return {
    version: variables.get('version') ?? 'unknown',
    maxPacketBytes: Math.min(packet, MOST_PACKET_BYTES),
    isReadOnly: READ_ONLY.some((name) => isOn(variables.get(name))),
    warnings: durabilityWarnings(variables),
  };
}

function durabilityWarnings(variables: ReadonlyMap<string, string>): string[] {
  const warnings: string[] = [];
  const flush = variables.get('innodb_flush_log_at_trx_commit');
  if (flush !== undefined && flush !== '1') {
    warnings.push(
      `innodb_flush_log_at_trx_commit is ${flush} on the server: a crash loses commits of its last ` +
        'second that were acknowledged; SET GLOBAL innodb_flush_log_at_trx_commit = 1',
    );
  }
  const sync = variables.get('sync_binlog');
  if (isOn(variables.get('log_bin')) && sync !== undefined && sync !== '1') {
    warnings.push(
      `sync_binlog is ${sync} on the server, which writes a binary log: a power cut can take commits ` +
        'back that were acknowledged; SET GLOBAL sync_binlog = 1',
    );
  }
  return warnings;
}

function isOn(value: string | undefined): boolean {
  return value !== undefined && value !== 'OFF' && value !== '0';
}
