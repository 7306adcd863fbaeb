// The metrics port over prom-client, and the text that Prometheus scrapes.
// Invariant: only declared metrics with their declared labels exist; anything else throws in strict mode (tests) and is counted in
// `tocsin_undeclared_metrics_total` otherwise, because a metric must never stop the work it measures.
// Surprise: a label that is left out is reported as the empty string, so that all series of a metric have the same labels.
import type { Labels, MetricsPort } from '@tocsin/topologies/ports/metrics.ts';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export interface MetricDeclaration {
  readonly name: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds, ascending; histograms only. */
  readonly buckets?: readonly number[];
}

export interface PrometheusMetrics extends MetricsPort {
  /** The scrape answer, text format 0.0.4. */
  text(): Promise<string>;
}

export interface PrometheusSettings {
  readonly declarations: readonly MetricDeclaration[];
  /** Throw on an undeclared metric or label instead of counting it. */
  readonly strict?: boolean;
  /** Also report the process: CPU, memory, event loop, garbage collection. Default true. */
  readonly processMetrics?: boolean;
  /** Added to every series, for example the service's name. */
  readonly commonLabels?: Labels;
}

/** Throws when a name is declared twice or is no valid metric name. */
export function createPrometheusMetrics(settings: PrometheusSettings): PrometheusMetrics {
  const registry = new Registry();
  if (settings.commonLabels !== undefined) registry.setDefaultLabels(settings.commonLabels);
  if (settings.processMetrics ?? true) collectDefaultMetrics({ register: registry });
  const counters = new Map<string, Counter>();
  const gauges = new Map<string, Gauge>();
  const histograms = new Map<string, Histogram>();
  const labelNames = new Map<string, readonly string[]>();
  for (const { name, kind, help, labels, buckets } of settings.declarations) {
    const common = { name, help, labelNames: [...labels], registers: [registry] };
    labelNames.set(name, labels);
    if (kind === 'counter') counters.set(name, new Counter(common));
    else if (kind === 'gauge') gauges.set(name, new Gauge(common));
    else
      histograms.set(
        name,
        new Histogram(buckets === undefined ? common : { ...common, buckets: [...buckets] }),
      );
  }
  const undeclared = new Counter({
    name: 'tocsin_undeclared_metrics_total',
    help: 'Uses of a metric or label that is not declared: a defect.',
    registers: [registry],
  });

  const complete = (name: string, labels: Labels): Record<string, string> | string => {
    const names = labelNames.get(name) ?? [];
    const full: Record<string, string> = {};
    for (const label of names) full[label] = labels[label] ?? '';
    const extra = Object.keys(labels).find((label) => !names.includes(label));
    return extra === undefined ? full : `metric ${name} has no label ${extra}`;
  };
  const use = <Metric>(
    metrics: ReadonlyMap<string, Metric>,
    kind: string,
    name: string,
    labels: Labels,
    apply: (metric: Metric, labels: Record<string, string>) => void,
  ): void => {
    const metric = metrics.get(name);
    const full = metric === undefined ? `no ${kind} is declared as ${name}` : complete(name, labels);
    if (metric !== undefined && typeof full !== 'string') {
      apply(metric, full);
      return;
    }
    if (settings.strict === true) throw new Error(String(full));
    undeclared.inc();
  };

  return {
    count: (name, labels = {}, by = 1) =>
      use(counters, 'counter', name, labels, (metric, full) => metric.inc(full, by)),
    gauge: (name, value, labels = {}) =>
      use(gauges, 'gauge', name, labels, (metric, full) => metric.set(full, value)),
    observe: (name, value, labels = {}) =>
      use(histograms, 'histogram', name, labels, (metric, full) => metric.observe(full, value)),
    text: () => registry.metrics(),
  };
}
