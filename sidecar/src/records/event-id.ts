import { randomUUIDv7 } from 'node:crypto';

/** Longest event id, in characters (all of them ASCII). */
export const EVENT_ID_MAX = 128;

const VISIBLE_ASCII = /^[\x21-\x7e]+$/;

/** Whether a text may serve as event_id: 1 to 128 visible ASCII characters, case-sensitive. */
export function isEventId(text: string): boolean {
  return text.length <= EVENT_ID_MAX && VISIBLE_ASCII.test(text);
}

/** A new event id: a UUIDv7 (RFC 9562), which grows with time and so keeps its index compact. */
export function newEventId(): string {
  return randomUUIDv7();
}
