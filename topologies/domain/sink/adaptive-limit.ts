// How many requests at a time: more while answers come as fast as ever, half as many when the receiver is overloaded.
//
// Invariant: between `least` and `most`; one overload halves once, however many requests it hits: only a request that went out
// after the last halving can cause another.
// Surprise: slow answers alone do not lower the limit; a receiver that takes ten seconds for each answer needs many requests at a
// time. Answers that become slower than they were stop the growth (AIMD; the deviation as in RFC 6298 section 2).

export interface AdaptiveLimit {
  /** Requests at a time, a whole number. */
  current(): number;
  /** A request that went out at `began` was answered at `now`, epoch ms. `full`: as many as the limit allows were on their way. */
  answered(began: number, now: number, full: boolean): void;
  /** The receiver is overloaded or did not answer in time. True when that lowered the limit. */
  overloaded(began: number, now: number): boolean;
}

/** Weight of a new round trip in the smoothed one, and of its deviation: RFC 6298 section 2, alpha and beta. */
const [alpha, beta] = [1 / 8, 1 / 4];
/** Deviations above the mean from which on a round trip is no longer steady. */
const steadyWithin = 2.5;
/** A deviation of less than this part of the mean is noise. */
const noise = 0.1;

export function createAdaptiveLimit(least: number, most: number): AdaptiveLimit {
  let limit = Math.max(1, least, most);
  const lowest = Math.max(1, Math.min(least, most));
  let halvedAt = Number.NEGATIVE_INFINITY;
  let mean = Number.NaN;
  let deviation = 0;

  function isSteady(trip: number): boolean {
    return Number.isNaN(mean) || trip <= mean + steadyWithin * Math.max(deviation, mean * noise, 1);
  }

  function learn(trip: number): void {
    if (Number.isNaN(mean)) {
      mean = trip;
      deviation = trip / 2;
    } else {
      deviation += beta * (Math.abs(trip - mean) - deviation);
      mean += alpha * (trip - mean);
    }
  }

  return {
    current: () => Math.floor(limit),
    answered(began, now, full) {
      const trip = Math.max(0, now - began);
      // One more per full round of steady answers.
      if (full && isSteady(trip)) limit = Math.min(most, limit + 1 / limit);
      learn(trip);
    },
    overloaded(began, now) {
      if (began < halvedAt) return false;
      halvedAt = now;
      const before = limit;
      limit = Math.max(lowest, limit / 2);
      return limit < before;
    },
  };
}
