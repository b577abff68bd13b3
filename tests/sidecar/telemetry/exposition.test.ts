import { describe, expect, it } from 'vitest';
import {
  counter,
  gauge,
  histogram,
  info,
  render,
} from '../../../sidecar/src/telemetry/exposition.ts';
import { Histogram } from '../../../sidecar/src/telemetry/histogram.ts';

describe('the exposition', () => {
  it('writes counters, gauges and infos with their help', async () => {
    const text = await render([
      counter('records_total', 'Records.', [
        { labels: { kind: 'a', reason: 'x' }, value: 2 },
        { labels: { kind: 'b', reason: 'x' }, value: 0 },
      ]),
      gauge('age_seconds', 'Age.', 1.5),
      info('build_info', 'The build.', { version: '1.2.3 "rc"' }),
    ]);
    expect(text.split('\n').filter((line) => line !== '')).toEqual([
      '# HELP records_total Records.',
      '# TYPE records_total counter',
      'records_total{kind="a",reason="x"} 2',
      'records_total{kind="b",reason="x"} 0',
      '# HELP age_seconds Age.',
      '# TYPE age_seconds gauge',
      'age_seconds 1.5',
      '# HELP build_info The build.',
      '# TYPE build_info gauge',
      'build_info{version="1.2.3 \\"rc\\""} 1',
    ]);
  });

  it('writes cumulative buckets, sum and count of a histogram', async () => {
    const seconds = new Histogram([0.1, 1]);
    for (const value of [0.05, 0.1, 0.5, 7]) seconds.observe(value);
    const text = await render([
      histogram('duration_seconds', 'Durations.', [
        { labels: { route: '/a' }, histogram: seconds },
        { labels: { route: '/b' }, histogram: new Histogram([0.1, 1]) },
      ]),
    ]);
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    expect([...lines].sort()).toEqual(
      [
        'duration_seconds_bucket{route="/a",le="0.1"} 2',
        'duration_seconds_bucket{route="/a",le="1"} 3',
        'duration_seconds_bucket{route="/a",le="+Inf"} 4',
        'duration_seconds_sum{route="/a"} 7.65',
        'duration_seconds_count{route="/a"} 4',
        'duration_seconds_bucket{route="/b",le="0.1"} 0',
        'duration_seconds_bucket{route="/b",le="1"} 0',
        'duration_seconds_bucket{route="/b",le="+Inf"} 0',
        'duration_seconds_sum{route="/b"} 0',
        'duration_seconds_count{route="/b"} 0',
      ].sort(),
    );
  });

  it('of nothing is empty', async () => {
    expect((await render([])).trim()).toBe('');
  });
});
