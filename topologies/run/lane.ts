// One lane per destination: bounded concurrency, rate limit and circuit breaker, so that a slow or dead receiver
// holds nobody but itself.
//
// Invariant: jobs of one ordering key start one after the other in the order of `submit`; a job that comes back, for a retry
// or from where it waited, is submitted anew and has lost its place.
//
// Surprise: while the destination is known to be away for longer than `holdMs`, the lane holds nothing: its jobs leave, and are
// called back one by one to try the destination, and in small numbers once it is back.
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
  /** The destination is away for long: the job waits elsewhere until it is called back. Without it, it waits here. */
  readonly leave?: () => void;
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
  /** Something about the destination changed: it is tried at once, and not when its wait is over. */
  tryNow(): void;
  /** Somebody waits elsewhere: looks whether it is time to call back. */
  look(): void;
}

/** Jobs that the lane has called back or holds at a time, while others wait elsewhere. */
export const calledBack = 256;

export function createLane(options: {
  readonly settings: () => LaneSettings;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Longest wait that jobs spend in the lane while it is open, ms; default 5,000. */
  readonly holdMs?: number;
  /** Calls back jobs that left, in their order, so that at most `most` are on their way; those come by `submit`. Whether any left. */
  readonly recall?: (most: number) => boolean;
}): Lane {
  const { settings, clock, signal, holdMs = 5_000, recall = () => false } = options;
  let ready: LaneJob[] = [];
  let head = 0;
  const blocked = new Map<string, LaneJob[]>();
  let breaker: BreakerState = closedBreaker;
  let bucket: Bucket | null = null;
  let running = 0;
  let size = 0;
  /** When the lane looks again by itself, epoch ms. */
  let wakesAt = Infinity;

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
    const at = clock.now() + ms;
    if (at >= wakesAt) return;
    wakesAt = at;
    clock.sleep(ms, signal).then(
      () => {
        if (wakesAt === at) wakesAt = Infinity;
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
      if (isAway(now)) sendAway();
      pump();
    });
  }

  const isAway = (now: number): boolean => waitOf(breaker, now) > holdMs;

  /** Everybody who waits leaves, each key in its order. */
  function sendAway(): void {
    const heads = ready.slice(head);
    ready = [];
    head = 0;
    for (const job of heads) {
      const followers = job.key === null ? [] : (blocked.get(job.key) ?? []);
      if (job.key !== null) blocked.delete(job.key);
      for (const each of [job, ...followers]) goAway(each);
    }
    // Of a key whose first job still runs.
    for (const queue of blocked.values()) for (const job of queue.splice(0)) goAway(job);
  }

  function goAway(job: LaneJob): void {
    size -= 1;
    if (job.leave === undefined) submit(job);
    else job.leave();
  }

  function submit(job: LaneJob): void {
    if (job.leave !== undefined && isAway(clock.now())) {
      job.leave();
      pump();
      return;
    }
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
  }

  /** Those who left: one when it is time to try the destination, more when it is back. */
  function callBack(): void {
    if (signal.aborted || (breaker.openUntil !== null && size > 0)) return;
    const wait = waitOf(breaker, clock.now());
    if (wait > 0) wakeAfter(wait);
    else if (recall(breaker.openUntil === null ? calledBack - size : 1) && size === 0) wakeAfter(holdMs);
  }

  function pump(): void {
    startReady();
    callBack();
  }

  function startReady(): void {
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
    submit,
    get size() {
      return size;
    },
    get state() {
      return breaker.openUntil === null ? 'closed' : 'open';
    },
    tryNow() {
      if (breaker.openUntil !== null) breaker = { ...breaker, openUntil: clock.now() };
      pump();
    },
    look: pump,
  };
}
