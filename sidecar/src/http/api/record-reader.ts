import * as v from 'valibot';
import type { Kind } from '../../records/kinds.ts';
import type { ValidRecord } from '../../records/rows.ts';
import { SCHEMAS } from '../../records/schema.ts';
import { MAX_RECORD_BYTES, MAX_RECORD_DEPTH, MAX_RECORD_KEYS } from './limits.ts';
import type { ValueScan } from './value-scan.ts';

/** The problem of a text that is not JSON; in an array it is the whole body's. */
export const NOT_JSON = 'is not valid JSON';

/** Names that can be repeated to the caller: they cannot carry content. */
const PLAIN_NAME = /^[A-Za-z0-9_.-]{1,64}$/;

/** Issues of one record that its problem tells. */
const MAX_ISSUES = 4;

const CONFIG = { abortPipeEarly: true } as const;

/**
 * Reads one record strictly: what passes is stored exactly as it was sent.
 *
 * @param bytes well-formed UTF-8 from `start` to `end`
 * @param scan what a scan of the text has found
 * @returns the record, or what is wrong with it: words of ours alone, no content
 */
export function readRecord(
  kind: Kind,
  bytes: Buffer,
  start: number,
  end: number,
  scan: ValueScan,
): ValidRecord | string {
  if (end - start > MAX_RECORD_BYTES) return `is larger than ${MAX_RECORD_BYTES} bytes`;
  if (scan.allKeys > MAX_RECORD_KEYS) return 'has too many fields';
  if (scan.deepest > MAX_RECORD_DEPTH) return 'is nested too deeply';
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8', start, end));
  } catch {
    return NOT_JSON;
  }
  if (Array.isArray(value)) return 'must be an object';
  const schema = SCHEMAS[kind.index] as (typeof SCHEMAS)[number];
  const result = v.safeParse(schema, value, CONFIG);
  if (!result.success) return tell(result.issues);
  // All its values are scalars now, so that its keys are all the keys there are.
  if (Object.keys(value as object).length !== scan.keys) return 'a field is given twice';
  return result.output;
}

function tell(issues: readonly v.BaseIssue<unknown>[]): string {
  return issues.slice(0, MAX_ISSUES).map(tellIssue).join('; ');
}

function tellIssue(issue: v.BaseIssue<unknown>): string {
  const field = issue.path?.[0]?.key;
  if (typeof field !== 'string' || !PLAIN_NAME.test(field)) return issue.message;
  return `${field}: ${issue.message}`;
}
