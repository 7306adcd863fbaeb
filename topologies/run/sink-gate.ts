// Pause and probe: while the receiver refuses the sink as a whole, one batch at a time asks whether it is well again.
//
// Invariant: while paused only the prober sends; everybody else waits. The sink resumes when the prober's own request was
// taken, not when a health page says so.
import { backoffMs } from '../domain/sink/backoff.ts';
import type { Random } from '../ports/clock.ts';
import type { Slab } from './sink-slab.ts';

export interface SinkFault {
  readonly code: string;
  readonly detail: string;
}

export interface SinkGate {
  /** The receiver refused the sink: pauses, and if this slab is the prober waits until an attempt is worthwhile. False: given up. */
  fault(slab: Slab, fault: SinkFault, abandoned: () => boolean): Promise<boolean>;
  /** Before each request: waits while paused, unless this slab is the prober. False when the slab was abandoned meanwhile. */
  pass(slab: Slab, abandoned: () => boolean): Promise<boolean>;
  /** The receiver took a request of this slab. */
  works(slab: Slab): void;
  /** The slab is given up; somebody else may probe. Returns false, for `return gate.leave(slab)`. */
  leave(slab: Slab): false;
  /** Everybody who waits looks again. */
  wake(): void;
  /** Why the sink is paused; null while it runs. */
  paused(): SinkFault | null;
  /** A batch may be started: the sink runs, or it is paused and nobody probes. */
  open(): boolean;
}

const probeBackoff = { initialMs: 1_000, maxMs: 30_000 };

export function createSinkGate(options: {
  /** True when it is worth trying again. */
  readonly probe: () => Promise<boolean>;
  readonly wait: (ms: number) => Promise<void>;
  readonly random: Random;
  readonly onPause: (fault: SinkFault) => void;
  readonly onResume: () => void;
}): SinkGate {
  const { probe, wait, random, onPause, onResume } = options;
  let current: SinkFault | null = null;
  let prober: Slab | null = null;
  let attempts = 0;
  let waiters: (() => void)[] = [];

  function wake(): void {
    const woken = waiters;
    waiters = [];
    for (const resolve of woken) resolve();
  }

  function leave(slab: Slab): false {
    if (prober === slab) {
      prober = null;
      wake();
    }
    return false;
  }

  return {
    async fault(slab, fault, abandoned) {
      if (current === null) onPause(fault);
      current = fault;
      prober ??= slab;
      if (prober !== slab) return !abandoned();
      do {
        attempts += 1;
        await wait(backoffMs(attempts, 0.5 + random() / 2, null, probeBackoff));
        if (abandoned()) return leave(slab);
      } while (!(await probe()));
      return true;
    },
    async pass(slab, abandoned) {
      while (current !== null && prober !== slab) {
        if (prober === null) {
          prober = slab;
          break;
        }
        await new Promise<void>((resolve) => waiters.push(resolve));
        if (abandoned()) return leave(slab);
      }
      return true;
    },
    works(slab) {
      if (current === null || prober !== slab) return;
      current = null;
      prober = null;
      attempts = 0;
      onResume();
      wake();
    },
    leave,
    wake,
    paused: () => current,
    open: () => current === null || prober === null,
  };
}
