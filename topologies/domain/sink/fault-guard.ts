// Tells a bad event from a bad configuration: when too many events are refused, the sink is at fault and not the events.
//
// Invariant: faults count as soon as they are suspected, so that a wrong setting trips the guard before it can drain a
// topic into the dead letters.

export interface FaultGuardLimits {
  /** Refused events in a row that trip the guard. */
  readonly inRow: number;
  /** Outcomes looked back over. */
  readonly window: number;
  /** Share of refused events in the window, of its full size, that trips it. */
  readonly share: number;
}

export const defaultGuardLimits: FaultGuardLimits = { inRow: 50, window: 1000, share: 0.2 };

export interface FaultGuard {
  /** `count` events were stored. */
  delivered(count: number): void;
  /** One event was refused. True when this one trips the guard. */
  fault(): boolean;
  /** After a trip: the next fault trips again unless something was delivered before. */
  rearm(): void;
}

export function createFaultGuard(limits: FaultGuardLimits = defaultGuardLimits): FaultGuard {
  const { inRow, window, share } = limits;
  // One bit per outcome, 1 for a fault.
  const ring = new Uint8Array(window);
  let next = 0;
  let faults = 0;
  let row = 0;

  function put(bit: 0 | 1): void {
    faults += bit - ring[next]!;
    ring[next] = bit;
    next = (next + 1) % window;
  }

  return {
    delivered(count) {
      if (count <= 0) return;
      row = 0;
      // Deliveries change an all-good window in nothing.
      for (let k = Math.min(count, window); k > 0 && faults > 0; k--) put(0);
    },
    fault() {
      row += 1;
      put(1);
      return row >= inRow || faults > window * share;
    },
    rearm() {
      ring.fill(0);
      faults = 0;
      row = inRow - 1;
    },
  };
}
