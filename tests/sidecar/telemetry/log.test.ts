import { PassThrough, Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Fold } from '../../../sidecar/src/telemetry/fold.ts';
import { createLog } from '../../../sidecar/src/telemetry/log.ts';
import { streamSink } from '../../../sidecar/src/telemetry/log-sink.ts';

describe('the log', () => {
  it('writes lines of JSON with the level, an ISO time and the fields', () => {
    const stream = new PassThrough({ encoding: 'utf8' });
    const log = createLog('info', streamSink(stream));
    log.debug('not told');
    log.warn({ port: 8085 }, 'a port is in use');
    const line = JSON.parse(stream.read() as string) as Record<string, unknown>;
    expect(line).toEqual({
      level: 'warn',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      port: 8085,
      msg: 'a port is in use',
    });
  });

  it('drops and counts what a reader that has stopped cannot take, and says so later', async () => {
    let release = () => {};
    const written: string[] = [];
    const stream = new Writable({
      decodeStrings: false,
      write(chunk: string, _encoding, done) {
        written.push(chunk);
        release = done;
      },
    });
    const sink = streamSink(stream);
    const line = `${'x'.repeat(99_999)}\n`;
    for (let i = 0; i < 20; i += 1) sink.write(line);
    expect(sink.dropped).toBe(10);
    expect(stream.writableLength).toBeLessThanOrEqual(1024 * 1024);
    expect(await sink.flush(20)).toBe(false);

    while (stream.writableLength > 0) {
      release();
      await new Promise((resolve) => setImmediate(resolve));
    }
    sink.write('{"msg":"next"}\n');
    release();
    await new Promise((resolve) => setImmediate(resolve));
    expect(JSON.parse(written.at(-2) as string)).toMatchObject({ level: 'warn', lines: 10 });
    expect(written.at(-1)).toBe('{"msg":"next"}\n');
    release();
    expect(await sink.flush(1_000)).toBe(true);
  });

  it('forgets a reader that has gone away', async () => {
    const stream = new PassThrough();
    const sink = streamSink(stream);
    stream.destroy(new Error('EPIPE'));
    await new Promise((resolve) => setImmediate(resolve));
    sink.write('line\n');
    expect(sink.dropped).toBe(1);
    expect(await sink.flush(10_000)).toBe(true);
  });
});

describe('a storm of equal errors', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('is one line at once, then their number once an interval, until it is over', () => {
    const told: number[] = [];
    const fold = new Fold(1_000);
    for (let i = 0; i < 25; i += 1) {
      fold.tell('EMFILE', (repeated) => told.push(repeated));
      vi.advanceTimersByTime(100);
    }
    expect(told).toEqual([0, 9, 10]);
    vi.advanceTimersByTime(1_000);
    expect(told).toEqual([0, 9, 10, 5]);
    vi.advanceTimersByTime(10_000);
    expect(told).toHaveLength(4);
    fold.tell('EMFILE', (repeated) => told.push(repeated));
    expect(told.at(-1)).toBe(0);
  });

  it('keeps different errors apart, up to a bound', () => {
    const told: string[] = [];
    const fold = new Fold(1_000);
    for (let i = 0; i < 500; i += 1) fold.tell(`error ${i}`, () => told.push(`error ${i}`));
    expect(told.length).toBeGreaterThanOrEqual(100);
    expect(told.length).toBeLessThanOrEqual(101);
    vi.advanceTimersByTime(1_000);
    expect(told).toHaveLength(102);
    expect(vi.getTimerCount()).toBe(1);
  });
});
