import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { type Fleet, generateRecords } from '../../../scripts/simulate/generate.ts';
import type { SimulatedRecord } from '../../../scripts/simulate/record.ts';
import { AUDIT_EVENT, COST_SNAPSHOT, SANDBOX_EVENT } from '../../../sidecar/src/records/kinds.ts';
import { SCHEMAS } from '../../../sidecar/src/records/schema.ts';
import { parseTime } from '../../../sidecar/src/records/time.ts';

const FLEET: Fleet = { seed: 'test', sandboxes: 20, days: 10, startMs: Date.UTC(2026, 2, 20) };
const RECORDS = [...generateRecords(FLEET)];

function distinct(column: string, records: readonly SimulatedRecord[]): Set<unknown> {
  return new Set(records.map((record) => record.fields[column]));
}

function eventIds(records: Iterable<SimulatedRecord>): Set<unknown> {
  return distinct('event_id', [...records]);
}

describe('the generator of simulated records', () => {
  it('gives equal records for equal options', () => {
    expect([...generateRecords(FLEET)]).toEqual(RECORDS);
  });

  it('gives other records for another seed', () => {
    const others = [...generateRecords({ ...FLEET, seed: 'tesu' })];
    expect(eventIds([...RECORDS, ...others]).size).toBe(RECORDS.length + others.length);
  });

  it('gives each record an event id of its own', () => {
    expect(eventIds(RECORDS).size).toBe(RECORDS.length);
  });

  it('adds records and changes none when days or sandboxes are added', () => {
    const key = (record: SimulatedRecord) => JSON.stringify(record.fields);
    const few = RECORDS.map(key);
    const longer = new Set([...generateRecords({ ...FLEET, days: 12 })].map(key));
    const larger = new Set([...generateRecords({ ...FLEET, sandboxes: 25 })].map(key));
    expect(few.filter((text) => !longer.has(text))).toEqual([]);
    expect(few.filter((text) => !larger.has(text))).toEqual([]);
    expect(longer.size).toBeGreaterThan(few.length);
    expect(larger.size).toBeGreaterThan(few.length);
  });

  it('gives valid records only', () => {
    const invalid = RECORDS.filter(
      ({ kind, fields }) => !v.safeParse(SCHEMAS[kind.index]!, { ...fields }).success,
    );
    expect(invalid).toEqual([]);
  });

  it('keeps the order of time, within the days asked for', () => {
    const times = RECORDS.map((record) => parseTime(String(record.fields.ts))!);
    expect(times).toEqual(times.toSorted());
    expect(times[0]! >= '2026-03-20T00:00:00.000000000Z').toBe(true);
    expect(times.at(-1)! < '2026-03-30T00:00:00.000000000Z').toBe(true);
  });

  it('writes a time that is exactly its moment, to the microsecond', () => {
    for (const { moment, fields } of RECORDS) {
      const [, upToSecond, fraction] = /^(.{19})\.(\d{6})Z$/.exec(String(fields.ts))!;
      expect(Date.parse(`${upToSecond}Z`) * 1_000 + Number(fraction)).toBe(moment);
    }
  });

  it('yields its first records at once, however many days are asked for', () => {
    const first = generateRecords({ ...FLEET, days: 36_500 }).next();
    expect(first.value).toEqual(RECORDS[0]);
  });

  it('has as many records as sandboxes and days call for', () => {
    const count = (fleet: Partial<Fleet>) => [...generateRecords({ ...FLEET, ...fleet })].length;
    expect(count({ sandboxes: 40 }) / RECORDS.length).toBeCloseTo(2, 0);
    expect(count({ days: 20 }) / RECORDS.length).toBeCloseTo(2, 0);
    expect(count({ days: 0.001, sandboxes: 1 })).toBeLessThan(5);
  });

  it("speaks the platform's vocabulary", () => {
    const many = [...generateRecords({ ...FLEET, sandboxes: 60, days: 20 })];
    expect([...distinct('action', many)].filter(Boolean).toSorted()).toEqual([
      ...['backup.create', 'backup.delete', 'backup.restore', 'bulk.create', 'bulk.stop', 'clone'],
      ...['create', 'delete', 'exec', 'patch', 'resume', 'share', 'stop'],
      ...['webhook.create', 'webhook.delete'],
    ]);
    expect([...distinct('resource', many)].filter(Boolean).toSorted()).toEqual([
      ...['sandbox', 'template', 'webhook'],
    ]);
    expect([...distinct('phase', many)].filter(Boolean).toSorted()).toEqual([
      ...['Creating', 'Deleting', 'Error', 'Running', 'Stopped'],
    ]);
    expect([...distinct('reason', many)].filter(Boolean).toSorted()).toEqual([
      ...['ApplicationError', 'AutoRestarted', 'BackupCreated', 'Restarting', 'Running'],
      ...['SnapshotFailed', 'Snapshotted', 'Stopped'],
    ]);
  });

  it('holds texts beyond ASCII', () => {
    const texts = RECORDS.map(({ fields }) => `${fields.details ?? ''}${fields.message ?? ''}`);
    expect(texts.some((text) => Buffer.byteLength(text) > text.length)).toBe(true);
  });
});

describe("a simulated sandbox's life", () => {
  const lives = Map.groupBy(
    RECORDS.filter((record) => record.fields.sandbox_id !== undefined),
    (record) => String(record.fields.sandbox_id),
  );
  const phasesOf = (life: readonly SimulatedRecord[]) =>
    life.filter((record) => record.kind === SANDBOX_EVENT);

  it('begins with its creation and has nothing after its deletion', () => {
    let ended = 0;
    for (const life of lives.values()) {
      expect(life[0]!.fields.action).toMatch(/^(bulk\.)?create$/);
      const last = life.findIndex((record) => record.fields.phase === 'Deleting');
      if (last === -1) continue;
      ended += 1;
      expect(last).toBe(life.length - 1);
      expect(life[last - 1]!.fields.action).toBe('delete');
    }
    expect(ended).toBeGreaterThan(0);
    expect(lives.size).toBeGreaterThan(FLEET.sandboxes);
  });

  it('enters only phases that may follow the one before', () => {
    const next: Record<string, readonly string[]> = {
      '': ['Creating'],
      Creating: ['Running'],
      Running: ['Running', 'Stopped', 'Error', 'Deleting'],
      Error: ['Creating'],
      Stopped: ['Running', 'Deleting'],
      Deleting: [],
    };
    for (const life of lives.values()) {
      let before = '';
      for (const { fields } of phasesOf(life)) {
        expect(next[before]).toContain(fields.phase);
        before = String(fields.phase);
      }
    }
  });

  it('costs something each quarter of an hour while it runs, and nothing while stopped', () => {
    for (const life of lives.values()) {
      let phase = '';
      for (const record of life) {
        if (record.kind === SANDBOX_EVENT) phase = String(record.fields.phase);
        if (record.kind !== COST_SNAPSHOT) continue;
        expect(phase).toBe('Running');
        expect(Number(record.fields.ts?.toString().slice(14, 16)) % 15).toBe(0);
        expect(record.fields.estimated_usd).toBeGreaterThan(0);
        // No more than a core of each of its four for the time since the last snapshot.
        expect(Number(record.fields.cpu_hours)).toBeLessThan(4 * 24);
      }
    }
  });

  it('restores and deletes only backups that exist', () => {
    const backups = new Set<string>();
    for (const { kind, fields } of RECORDS) {
      if (kind !== AUDIT_EVENT || !String(fields.action).startsWith('backup.')) continue;
      const backup = String(fields.details);
      if (fields.action === 'backup.create') backups.add(backup);
      else expect(backups).toContain(backup);
      if (fields.action === 'backup.delete') backups.delete(backup);
    }
  });
});
