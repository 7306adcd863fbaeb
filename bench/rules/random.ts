// Random numbers from a seed, so that a benchmark's rules and events are the same on every machine and in every run.

export interface SeededRandom {
  /** A whole number from 0 to n - 1. */
  below(n: number): number;
  /** A whole number from `from` to `to`, both included. */
  between(from: number, to: number): number;
  chance(probability: number): boolean;
  pick<T>(from: readonly T[]): T;
  /** One of [value, weight] pairs. */
  weighted<T>(from: readonly (readonly [T, number])[]): T;
  /** `count` different ones, at most all of them. */
  some<T>(from: readonly T[], count: number): T[];
  /** An index below n; the first tenth comes about six times as often as the last: square of a uniform number. */
  skewed(n: number): number;
}

/** The generator mulberry32: 32 bits of state, good enough to shape test data. */
export function seededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n: number): number => Math.floor(next() * n);
  return {
    below,
    between: (from, to) => from + below(to - from + 1),
    chance: (probability) => next() < probability,
    pick: (from) => from[below(from.length)]!,
    weighted(from) {
      let left = next() * from.reduce((sum, [, weight]) => sum + weight, 0);
      for (const [value, weight] of from) {
        left -= weight;
        if (left < 0) return value;
      }
      return from.at(-1)![0];
    },
    some(from, count) {
      const wanted = Math.min(count, from.length);
      const chosen = new Set<number>();
      while (chosen.size < wanted) chosen.add(below(from.length));
      return [...chosen].map((index) => from[index]!);
    },
    skewed(n) {
      const uniform = next();
      return Math.floor(uniform * uniform * n);
    },
  };
}
