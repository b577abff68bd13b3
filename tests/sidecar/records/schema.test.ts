import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import {
  AUDIT_EVENT,
  COST_SNAPSHOT,
  type Kind,
  SANDBOX_EVENT,
} from '../../../sidecar/src/records/kinds.ts';
import { SCHEMAS } from '../../../sidecar/src/records/schema.ts';

const audit = { action: 'create', resource: 'sandbox' };
const cost = { sandbox_id: 'sbx-1' };

function validate(kind: Kind, input: unknown) {
  const schema = SCHEMAS[kind.index];
  if (schema === undefined) throw new Error('kind without a schema');
  return v.safeParse(schema, input);
}

function problems(kind: Kind, input: unknown): string[] {
  return (validate(kind, input).issues ?? []).map((i) => `${v.getDotPath(i)}: ${i.message}`);
}

describe('a record', () => {
  it('gets the time of receipt, a UUIDv7 and defaults for what is absent', () => {
    const { output } = validate(AUDIT_EVENT, audit);
    expect(output).toMatchObject({ ...audit, actor: '', sandbox_id: '', details: '' });
    expect(output).toHaveProperty('ts', expect.stringMatching(/^20.*\d{9}Z$/));
    expect(output).toHaveProperty('event_id', expect.stringMatching(/^[0-9a-f-]{13}-7/));
    expect(validate(COST_SNAPSHOT, cost).output).toMatchObject({ cpu_hours: 0, estimated_usd: 0 });
  });

  it('without a required field is refused, and so is an empty one', () => {
    expect(problems(AUDIT_EVENT, { action: 'create' })).toEqual(['resource: is required']);
    expect(problems(AUDIT_EVENT, { action: '', resource: 'r' })).toEqual([
      'action: must not be empty',
    ]);
    expect(problems(SANDBOX_EVENT, { sandbox_id: 's' })).toEqual(['phase: is required']);
    expect(problems(COST_SNAPSHOT, {})).toEqual(['sandbox_id: is required']);
  });

  it('with an unknown field is refused, so that a typo loses nothing quietly', () => {
    expect(problems(AUDIT_EVENT, { ...audit, sandbox: 'x' })).toEqual(['sandbox: unknown field']);
    const smuggled: unknown = JSON.parse('{"action":"a","resource":"r","__proto__":"x"}');
    expect(problems(AUDIT_EVENT, smuggled)).toEqual(['__proto__: unknown field']);
  });

  it.each([[[]], ['text'], [1], [null], [true]])(
    'that is not an object is refused: %j',
    (input) => {
      expect(validate(AUDIT_EVENT, input).success).toBe(false);
    },
  );

  it.each([
    ['actor', 1, 'must be a string'],
    ['actor', null, 'must be a string'],
    ['actor', 'a\0b', 'must not hold a NUL character'],
    ['actor', 'a\ud800b', 'must be well-formed Unicode (lone surrogate)'],
    ['actor', 'x'.repeat(1025), 'must be at most 1024 bytes of UTF-8'],
    ['actor', 'ü'.repeat(513), 'must be at most 1024 bytes of UTF-8'],
    ['details', '🚀'.repeat(16_384), 'must be at most 65535 bytes of UTF-8'],
    ['ts', 'yesterday', 'must be an RFC 3339 time between the years 0001 and 9999'],
    ['event_id', '', 'must be 1 to 128 characters from 0x21 to 0x7E'],
    ['event_id', 'a b', 'must be 1 to 128 characters from 0x21 to 0x7E'],
    ['event_id', 'x'.repeat(129), 'must be 1 to 128 characters from 0x21 to 0x7E'],
    ['event_id', 'é', 'must be 1 to 128 characters from 0x21 to 0x7E'],
  ])('with a bad %s (case %#) is refused by rule', (field, value, rule) => {
    expect(problems(AUDIT_EVENT, { ...audit, [field]: value })).toContain(`${field}: ${rule}`);
  });

  it('may fill its texts to the last byte', () => {
    const full = { ...audit, actor: 'ü'.repeat(512), details: `${'🚀'.repeat(16_383)}abc` };
    expect(validate(AUDIT_EVENT, full).success).toBe(true);
  });

  it('refuses numbers that are not finite or negative, and stores -0 as 0', () => {
    expect(problems(COST_SNAPSHOT, { ...cost, cpu_hours: Number.POSITIVE_INFINITY })).toEqual([
      'cpu_hours: must be finite',
    ]);
    expect(problems(COST_SNAPSHOT, { ...cost, cpu_hours: -1 })).toEqual([
      'cpu_hours: must not be negative',
    ]);
    expect(problems(COST_SNAPSHOT, { ...cost, cpu_hours: '1' })).toEqual([
      'cpu_hours: must be a number',
    ]);
    const { output } = validate(COST_SNAPSHOT, { ...cost, cpu_hours: -0 });
    expect(Object.is((output as Record<string, unknown>).cpu_hours, 0)).toBe(true);
  });

  it('never echoes a value in a problem', () => {
    const secret = 'hunter2';
    const input = {
      actor: 7,
      action: [secret],
      resource: { secret },
      ts: secret,
      sandbox_id: secret,
    };
    expect(JSON.stringify(problems(AUDIT_EVENT, input))).not.toContain(secret);
  });
});
