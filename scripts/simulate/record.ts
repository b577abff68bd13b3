import {
  AUDIT_EVENT,
  COST_SNAPSHOT,
  type Kind,
  SANDBOX_EVENT,
} from '../../sidecar/src/records/kinds.ts';
import { formatMoment, MILLISECOND, type Moment } from './moment.ts';
import type { Random } from './random.ts';

/** A record as the Router would send it, and when it happened. */
export interface SimulatedRecord {
  readonly kind: Kind;
  readonly moment: Moment;
  /** By column name; what is empty is left out, as Go's omitempty does. */
  readonly fields: Readonly<Record<string, string | number>>;
}

export function auditEvent(
  random: Random,
  moment: Moment,
  event: { actor: string; action: string; resource: string; sandboxId?: string; details?: string },
): SimulatedRecord {
  const fields: Record<string, string> = {
    ts: formatMoment(moment),
    actor: event.actor,
    action: event.action,
    resource: event.resource,
    event_id: eventId(random, moment),
  };
  if (event.sandboxId !== undefined) fields.sandbox_id = event.sandboxId;
  if (event.details !== undefined) fields.details = event.details;
  return { kind: AUDIT_EVENT, moment, fields };
}

export function sandboxEvent(
  random: Random,
  moment: Moment,
  event: {
    sandboxId: string;
    name: string;
    namespace: string;
    phase: string;
    reason?: string;
    message?: string;
  },
): SimulatedRecord {
  const fields: Record<string, string> = {
    ts: formatMoment(moment),
    sandbox_id: event.sandboxId,
    sandbox_name: event.name,
    namespace: event.namespace,
    phase: event.phase,
    event_id: eventId(random, moment),
  };
  if (event.reason !== undefined) fields.reason = event.reason;
  if (event.message !== undefined) fields.message = event.message;
  return { kind: SANDBOX_EVENT, moment, fields };
}

export function costSnapshot(
  random: Random,
  moment: Moment,
  snapshot: {
    sandboxId: string;
    namespace: string;
    cpuHours: number;
    memoryGbHours: number;
    usd: number;
  },
): SimulatedRecord {
  const fields = {
    ts: formatMoment(moment),
    sandbox_id: snapshot.sandboxId,
    namespace: snapshot.namespace,
    cpu_hours: toMillionths(snapshot.cpuHours),
    mem_gb_hours: toMillionths(snapshot.memoryGbHours),
    estimated_usd: toMillionths(snapshot.usd),
    event_id: eventId(random, moment),
  };
  return { kind: COST_SNAPSHOT, moment, fields };
}

/** A UUIDv7 (RFC 9562) of the record's own time, with random bits that the seed decides. */
function eventId(random: Random, moment: Moment): string {
  const time = Math.floor(moment / MILLISECOND)
    .toString(16)
    .padStart(12, '0');
  const a = (random.bits() & 0xfff).toString(16).padStart(3, '0');
  const b = ((random.bits() & 0x3fff) | 0x8000).toString(16);
  const c = (0x100000000 + random.bits()).toString(16).slice(1);
  const d = (random.bits() & 0xffff).toString(16).padStart(4, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${a}-${b}-${c}${d}`;
}

function toMillionths(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
