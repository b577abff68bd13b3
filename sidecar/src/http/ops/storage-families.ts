import type { Recorder } from '../../recorder/recorder.ts';
import type { StorageStatus } from '../../recorder/submission.ts';
import { KINDS } from '../../records/kinds.ts';
import type { Gauge, Store } from '../../stores/store.ts';
import {
  counter,
  type Family,
  gauge,
  histogram,
  type Labels,
  type Sample,
} from '../../telemetry/exposition.ts';

const PREFIX = 'agenttier_storage_';

/**
 * Where every record is, how the queue and the commits do, and what the store tells of itself.
 * The recorder's counters are there from the start, at zero: a rate over one that appears late misses
 * its beginning.
 */
export function storageFamilies(recorder: Recorder, store: Store): Family[] {
  return [
    ...accounting(recorder),
    ...queue(recorder),
    ...commits(recorder),
    ...state(recorder.status(), recorder.failures),
    ...(store.gauges?.() ?? []).map(ofStore),
  ];
}

function accounting({ ledger }: Recorder): Family[] {
  const name = (term: string) => `${PREFIX}records_${term}_total`;
  return [
    counter(name('received'), 'Records of complete, parsable bodies.', byKind(ledger.received)),
    counter(name('stored'), 'Records made durable.', byKind(ledger.stored)),
    counter(
      name('duplicate'),
      'Records that were durable already, by event_id.',
      byKind(ledger.duplicate),
    ),
    counter(
      name('rejected'),
      'Records refused before the queue.',
      byKindAndReason(ledger.rejected),
    ),
    counter(name('dropped'), 'Records lost after the queue.', byKindAndReason(ledger.dropped)),
    gauge(
      `${PREFIX}queue_records`,
      'Records in memory, those in the batch in flight included.',
      byKind(ledger.queued),
    ),
  ];
}

function queue(recorder: Recorder): Family[] {
  return [
    gauge(`${PREFIX}queue_bytes`, 'Bytes of the records in memory.', recorder.queuedBytes),
    gauge(
      `${PREFIX}queue_oldest_age_seconds`,
      'Age of the oldest record in memory; 0 without one.',
      recorder.oldestQueuedSeconds,
    ),
  ];
}

function commits({ commitSeconds, commitRows }: Recorder): Family[] {
  return [
    histogram(`${PREFIX}commit_duration_seconds`, 'Durations of successful commits.', [
      { labels: {}, histogram: commitSeconds },
    ]),
    histogram(`${PREFIX}commit_records`, 'Records of successful commits.', [
      { labels: {}, histogram: commitRows },
    ]),
  ];
}

function state(status: StorageStatus, failures: Recorder['failures']): Family[] {
  const { storage, driver, lastWriteAgeSeconds } = status;
  const up = gauge(`${PREFIX}up`, 'Whether storage works; 1 for the no-op too.', [
    { labels: { driver }, value: storage === 'down' ? 0 : 1 },
  ]);
  const failed = counter(
    `${PREFIX}failures_total`,
    'Calls to the store that failed, by class.',
    Object.entries(failures).map(([name, value]) => sample({ class: name }, value)),
  );
  if (lastWriteAgeSeconds === null) return [up, failed];
  const age = gauge(
    `${PREFIX}last_write_age_seconds`,
    'Time since a write, or a trial write, last succeeded.',
    lastWriteAgeSeconds,
  );
  return [up, failed, age];
}

function ofStore({ name, help, value, type }: Gauge): Family {
  const full = `${PREFIX}${name}`;
  return type === 'counter' ? counter(full, help, value) : gauge(full, help, value);
}

function byKind(counts: readonly number[]): Sample[] {
  return KINDS.map(({ name, index }) => sample({ kind: name }, counts[index]));
}

function byKindAndReason(counts: Readonly<Record<string, readonly number[]>>): Sample[] {
  return Object.entries(counts).flatMap(([reason, ofReason]) =>
    KINDS.map(({ name, index }) => sample({ kind: name, reason }, ofReason[index])),
  );
}

function sample(labels: Labels, value = 0): Sample {
  return { labels, value };
}
