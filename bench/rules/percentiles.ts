// Percentiles of many measurements, by nearest rank.

export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Sorts `values` in place. */
export function percentiles(values: Float64Array): Percentiles {
  values.sort();
  const at = (part: number): number =>
    Math.round(values[Math.max(0, Math.ceil(values.length * part) - 1)]! * 100) / 100;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** The middle one of the values, the upper one of two. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}
