/** Limits of what a caller may send to the API and ask of it, with their reasons. */

import { PAGE_BYTES } from '../../records/list.ts';

/** A request's body: 1,000 records of a usual size are 300 KiB. */
export const MAX_BODY_BYTES = 8 * 1024 * 1024;

/** Records of a request: bounds the time that even the smallest records can take. */
export const MAX_RECORDS = 50_000;

/**
 * One record's text. With every text at its limit and every character escaped a record needs some
 * 430 KiB; what is larger is padding, and parsing it would hold the thread.
 */
export const MAX_RECORD_BYTES = 512 * 1024;

/**
 * Keys in one record, and how deep values may lie in it, before it is refused unparsed: records are
 * flat and have few fields, and objects of thousands are what takes JSON.parse longest.
 */
export const MAX_RECORD_KEYS = 100;
export const MAX_RECORD_DEPTH = 32;

/**
 * Bodies being read or parsed at a time, or the rows made of them where these are more, all together:
 * bounds the memory that both hold to some three times as much, and fits beside a full queue in the
 * chart's limit of memory. One request's rows are 14 MiB at most, so that a lone one always has room.
 */
export const BODIES_IN_FLIGHT_BYTES = 16 * 1024 * 1024;

/** How long the thread may work on one body before others have their turn. */
export const SLICE_MS = 10;

/** Rejected records that an answer lists; it counts them all. */
export const MAX_LISTED_REJECTIONS = 100;

/** When to come back where only a moment is needed. */
export const RETRY_AFTER_SECONDS = 1;

/** `Prefer: wait`: the longest wait that is granted, and what a bare `wait` means. */
export const MAX_WAIT_SECONDS = 60;
export const DEFAULT_WAIT_SECONDS = 10;

/** Items of a page: at most, and when `limit` is absent. */
export const MAX_PAGE_ITEMS = 1_000;
export const DEFAULT_PAGE_ITEMS = 100;

/** Text of a page: what the store answers at most, give or take the escapes of JSON. */
export const MAX_PAGE_CHARS = PAGE_BYTES;

/**
 * Pages being read or sent at a time, all together: bounds the memory they hold, which is up to four
 * times as much in the forms that a page has on its way. Others wait in line.
 */
export const PAGES_IN_FLIGHT_BYTES = 4 * PAGE_BYTES;

/** A client that takes no byte of a page or a backup for so long is taken to be gone. */
export const STALL_MS = 15_000;

/** Values of all filters of a list together: each may cost the store a query of its own. */
export const MAX_FILTER_VALUES = 100;

/** A store that does not answer a list, nor begin a backup, for so long is taken to be down. */
export const LIST_TIMEOUT_MS = 30_000;

/** When to try to read again while storage is down. */
export const READ_RETRY_AFTER_SECONDS = 5;
