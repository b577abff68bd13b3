import type { ServerResponse } from 'node:http';
import type { Backup, Driver, Store } from '../../stores/store.ts';
import { StoreError } from '../../stores/store-error.ts';
import { describeError } from '../../telemetry/describe-error.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Exchange } from '../exchange.ts';
import { LIST_TIMEOUT_MS, STALL_MS } from './limits.ts';
import { SQLITE_MEDIA_TYPE } from './media-type.ts';
import { parseQuery } from './query-string.ts';
import { endIfStalled } from './stall.ts';
import { unreadable } from './unreadable.ts';

const DISPOSITION = { 'Content-Disposition': 'attachment; filename="agenttier.db"' };

export interface BackupParts {
  readonly store: Pick<Store, 'backup' | 'driver'>;
  readonly counts: BackupCounts;
  readonly log: Log;
}

/** Backups that were begun, by how they ended. */
export interface BackupCounts {
  sent: number;
  cut: number;
}

/**
 * Serves GET and HEAD of a backup. The exchange has its connection.
 *
 * The length stands at the head of the answer and the last part is sent only when all of it is of one
 * moment, so whoever got every byte has a whole copy. One that cannot be finished ends with its connection.
 */
export async function backup(exchange: Exchange, parts: BackupParts): Promise<void> {
  const parameters = parseQuery(exchange.incoming.url ?? '');
  if ('status' in parameters) return exchange.problem(parameters);
  if (parameters.size > 0) {
    return exchange.problem({ status: 400, detail: 'a backup takes no query parameters' });
  }
  const { store } = parts;
  if (store.backup === undefined) {
    return exchange.problem({ status: 501, detail: ELSEWHERE[store.driver] });
  }
  const { outgoing } = exchange;
  const wanted = new AbortController();
  const giveUp = () => wanted.abort();
  const timer = setTimeout(giveUp, LIST_TIMEOUT_MS);
  outgoing.on('close', giveUp);
  let made: Backup;
  try {
    made = await store.backup(wanted.signal);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return exchange.problem(unreadable(error.reason));
  } finally {
    clearTimeout(timer);
    outgoing.off('close', giveUp);
  }
  try {
    exchange.begin(200, SQLITE_MEDIA_TYPE, made.bytes, DISPOSITION);
    if (exchange.isHead) outgoing.end();
    else await send(made, outgoing, parts);
  } finally {
    await made.close();
  }
}

const ON_A_SERVER = "the records are on a server: back them up with the server's own tools";
/** Where a store has no backup, what there is instead. */
const ELSEWHERE: Readonly<Record<Driver, string>> = {
  none: 'storage is off: there is nothing to back up',
  sqlite: 'this store has no backup',
  postgres: `${ON_A_SERVER}, such as pg_dump`,
  mysql: `${ON_A_SERVER}, such as mysqldump`,
  unknown: ON_A_SERVER,
};

async function send(
  made: Backup,
  outgoing: ServerResponse,
  { counts, log }: BackupParts,
): Promise<void> {
  endIfStalled(outgoing, STALL_MS);
  const start = performance.now();
  let sent = 0;
  try {
    for await (const part of made.parts()) {
      await write(outgoing, part);
      sent += part.length;
    }
    outgoing.end();
  } catch (error) {
    // Its length has been told, so the client learns that it is not whole.
    outgoing.destroy();
    counts.cut += 1;
    const why = error instanceof StoreError ? { reason: error.reason } : describeError(error);
    log.warn({ bytes: made.bytes, sent, ...why }, 'a backup was cut short');
    return;
  }
  counts.sent += 1;
  const seconds = Math.round(performance.now() - start) / 1_000;
  log.info({ bytes: made.bytes, seconds }, 'a backup was sent');
}

/** @returns once the part has left, so that its memory may be used again */
function write(outgoing: ServerResponse, part: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const gone = () => reject(new StoreError('the client is gone, or took no byte for too long'));
    if (outgoing.closed) return gone();
    outgoing.once('close', gone);
    outgoing.write(part, (error) => {
      outgoing.off('close', gone);
      if (error) gone();
      else resolve();
    });
  });
}
