// Metrics in memory, readable by name and labels.
import type { Labels, MetricsPort } from '../metrics.ts';

export interface FakeMetrics extends MetricsPort {
  /** Sum of the counter over all label sets that contain `labels`. */
  total(name: string, labels?: Labels): number;
  /** Last value of the gauge with exactly these labels. */
  value(name: string, labels?: Labels): number | undefined;
  /** Observed values over all label sets that contain `labels`, in order. */
  observed(name: string, labels?: Labels): readonly number[];
}

interface Sample {
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
}

export function fakeMetrics(): FakeMetrics {
  const counts: Sample[] = [];
  const observations: Sample[] = [];
  const gauges = new Map<string, number>();
  const select = (samples: readonly Sample[], name: string, labels: Labels): number[] =>
    samples
      .filter(
        (sample) =>
          sample.name === name &&
          Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
      )
      .map((sample) => sample.value);
  return {
    count: (name, labels = {}, by = 1) => void counts.push({ name, labels, value: by }),
    observe: (name, value, labels = {}) => void observations.push({ name, labels, value }),
    gauge: (name, value, labels = {}) => void gauges.set(keyOf(name, labels), value),
    total: (name, labels = {}) => select(counts, name, labels).reduce((sum, value) => sum + value, 0),
    observed: (name, labels = {}) => select(observations, name, labels),
    value: (name, labels = {}) => gauges.get(keyOf(name, labels)),
  };
}

function keyOf(name: string, labels: Labels): string {
  return JSON.stringify([name, Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))]);
}
