// One lane per destination: bounded concurrency, rate limit and circuit breaker, so that a slow or dead receiver
// holds nobody but itself.
//
// Invariant: jobs of one ordering key start one after the other in the order of `submit`; a job that comes back for
// a retry is submitted anew and has lost its place.
import {
  afterAttempt,
  afterPause,
  type BreakerSettings,
  type BreakerState,
  closedBreaker,
  defaultBreaker,
  waitOf,
} from '../domain/delivery/breaker.ts';
import { type Bucket, fullBucket, takeToken } from '../domain/delivery/rate-limit.ts';
import type { Clock } from '../ports/clock.ts';

/** What one attempt said about the destination: it works, it is down, or it refuses us until somebody acts. */
export type LaneVerdict = 'up' | 'down' | 'pause';

export interface LaneJob {
  readonly key: string | null;
  /** Never rejects. */
  readonly run: () => Promise<LaneVerdict>;
}

export interface LaneSettings {
  readonly concurrency: number;
  readonly ratePerSecond: number | null;
  readonly breaker?: BreakerSettings;
}

export interface Lane {
  submit(job: LaneJob): void;
  /** Jobs that wait or run. */
  readonly size: number;
  readonly state: 'closed' | 'open';
}

export function createLane(options: {
  readonly settings: () => LaneSettings;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}): Lane {
  const { settings, clock, signal } = options;
  const ready: LaneJob[] = [];
  let head = 0;
  const blocked = new Map<string, LaneJob[]>();
  let breaker: BreakerState = closedBreaker;
  let bucket: Bucket | null = null;
  let running = 0;
  let size = 0;
  let timer = false;

  function take(): LaneJob | undefined {
    const job = ready[head];
    if (job === undefined) return undefined;
    head += 1;
    if (head > 1024 && head * 2 > ready.length) {
      ready.splice(0, head);
      head = 0;
    }
    return job;
  }

  function release(key: string | null): void {
    if (key === null) return;
    const queue = blocked.get(key);
    const next = queue?.shift();
    if (next === undefined) blocked.delete(key);
    else ready.push(next);
  }

  function waitForTurn(now: number): number {
    const closed = waitOf(breaker, now);
    const { ratePerSecond } = settings();
    if (closed > 0 || ratePerSecond === null) return closed;
    const taken = takeToken(bucket ?? fullBucket(ratePerSecond, now), ratePerSecond, now);
    bucket = taken.bucket;
    return taken.waitMs;
  }

  function wakeAfter(ms: number): void {
    if (timer) return;
    timer = true;
    clock.sleep(ms, signal).then(
      () => {
        timer = false;
        pump();
      },
      () => undefined,
    );
  }

  function start(job: LaneJob): void {
    running += 1;
    void job.run().then((verdict) => {
      const rules = settings().breaker ?? defaultBreaker;
      const now = clock.now();
      breaker =
        verdict === 'pause'
          ? afterPause(breaker, now, rules)
          : afterAttempt(breaker, verdict === 'down', now, rules);
      running -= 1;
      size -= 1;
      release(job.key);
      pump();
    });
  }

  function pump(): void {
    while (!signal.aborted && head < ready.length && running < settings().concurrency) {
      const probing = breaker.openUntil !== null;
      if (probing && running > 0) return;
      const wait = waitForTurn(clock.now());
      if (wait > 0) {
        wakeAfter(wait);
        return;
      }
      const job = take();
      if (job !== undefined) start(job);
    }
  }

  return {
    submit(job) {
      size += 1;
      if (job.key !== null) {
        const queue = blocked.get(job.key);
        if (queue !== undefined) {
          queue.push(job);
          return;
        }
        blocked.set(job.key, []);
      }
      ready.push(job);
      pump();
    },
    get size() {
      return size;
    },
    get state() {
      return breaker.openUntil === null ? 'closed' : 'open';
    },
  };
}
