// The scrape text is read line by line as Prometheus' exposition format 0.0.4 defines it.
import { metrics as declared } from '@tocsin/topologies/metrics.ts';
import { describe, expect, it } from 'vitest';
import { createPrometheusMetrics, type MetricDeclaration } from './prometheus.ts';

const declarations: readonly MetricDeclaration[] = [
  { name: 'a_total', kind: 'counter', help: 'A.', labels: ['x', 'y'] },
  { name: 'b', kind: 'gauge', help: 'B.', labels: [] },
  { name: 'c_seconds', kind: 'histogram', help: 'C.', labels: ['x'], buckets: [0.1, 1] },
];

async function lines(metrics: { text(): Promise<string> }): Promise<string[]> {
  // The format does not say in which order labels stand.
  const sorted = (line: string): string =>
    line.replace(/\{(.*)\}/, (_, labels: string) => `{${labels.split(',').sort().join(',')}}`);
  return (await metrics.text())
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map(sorted);
}

describe('prometheus metrics', () => {
  it('reports counters, gauges and histograms with all declared labels', async () => {
    const metrics = createPrometheusMetrics({
      declarations,
      strict: true,
      processMetrics: false,
      commonLabels: { service: 's' },
    });
    metrics.count('a_total', { x: '1' });
    metrics.count('a_total', { x: '1' }, 2.5);
    metrics.count('a_total', { x: 'q"\n\\', y: 'z' });
    metrics.gauge('b', 7);
    metrics.gauge('b', -1);
    metrics.observe('c_seconds', 0.5, { x: 'k' });
    const text = await lines(metrics);
    expect(text).toContain('a_total{service="s",x="1",y=""} 3.5');
    expect(text).toContain('a_total{service="s",x="q\\"\\n\\\\",y="z"} 1');
    expect(text).toContain('b{service="s"} -1');
    expect(text).toContain('c_seconds_bucket{le="0.1",service="s",x="k"} 0');
    expect(text).toContain('c_seconds_bucket{le="1",service="s",x="k"} 1');
    expect(text).toContain('c_seconds_bucket{le="+Inf",service="s",x="k"} 1');
    expect(text).toContain('c_seconds_sum{service="s",x="k"} 0.5');
  });

  it('throws on anything undeclared when strict', () => {
    const metrics = createPrometheusMetrics({ declarations, strict: true, processMetrics: false });
    expect(() => metrics.count('nope')).toThrow('no counter is declared as nope');
    expect(() => metrics.count('b')).toThrow('no counter is declared as b');
    expect(() => metrics.observe('c_seconds', 1, { url: '/secret' })).toThrow(
      'metric c_seconds has no label url',
    );
  });

  it('counts anything undeclared otherwise, and reports none of it', async () => {
    const metrics = createPrometheusMetrics({ declarations, processMetrics: false });
    metrics.count('nope');
    metrics.observe('c_seconds', 1, { url: '/secret' });
    const text = await lines(metrics);
    expect(text).toContain('tocsin_undeclared_metrics_total 2');
    expect(text.join()).not.toContain('secret');
  });

  it('takes every metric that the product declares', async () => {
    const metrics = createPrometheusMetrics({ declarations: declared, strict: true });
    for (const { name, kind } of declared) {
      if (kind === 'counter') metrics.count(name);
      else if (kind === 'gauge') metrics.gauge(name, 1);
      else metrics.observe(name, 1);
    }
    const text = (await lines(metrics)).join('\n');
    for (const { name } of declared) expect(text).toContain(name);
    expect(text).toContain('process_resident_memory_bytes');
  });
});
