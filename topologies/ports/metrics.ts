// Counters, gauges and histograms by name; label sets are small and closed, values never secret.

export type Labels = Readonly<Record<string, string>>;

export interface MetricsPort {
  count(name: string, labels?: Labels, by?: number): void;
  gauge(name: string, value: number, labels?: Labels): void;
  /** Seconds for durations, bytes for sizes; buckets are declared in topologies/metrics.ts. */
  observe(name: string, value: number, labels?: Labels): void;
}
