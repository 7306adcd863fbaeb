// The sink runner: record batches in, requests out, offsets complete when the receiver has the events.
//
// Invariant: an offset completes only after its record was stored by the receiver, acknowledged in the dead letters, filtered
// out, or found to be a null value. Memory is (in_flight + 2) slabs, whatever the receiver does; a full runner holds its
// partitions back by not resolving onBatch.
// Surprise: one slab takes events of several partitions; their offsets complete together. A receiver that proves later gets its slab
// back at the answer; the offsets wait without it (sink-receipts.ts).
import { unreadableRecord } from '../domain/dead-letter.ts';
import { createAdaptiveLimit } from '../domain/sink/adaptive-limit.ts';
import { type BatchLimits, fits, whenIdle } from '../domain/sink/batch.ts';
import type { BatchVerdict, DeliveryNote, SinkPorts, SinkWire } from '../domain/sink/define-sink.ts';
import { createFaultGuard } from '../domain/sink/fault-guard.ts';
import type { BytesFilter } from '../domain/sink/filter.ts';
import { createSpliceCheck } from '../domain/sink/splice-check.ts';
import type { Clock, Random } from '../ports/clock.ts';
import type { Assignment, BatchHandler, TopicPartition } from '../ports/log.ts';
import type { Logger } from '../ports/logger.ts';
import type { MetricsPort } from '../ports/metrics.ts';
import { deliver } from './sink-delivery.ts';
import { type DecodeValue, fill } from './sink-fill.ts';
import { createSinkGate, type SinkFault } from './sink-gate.ts';
import { createLetters, type LetterBox } from './sink-letters.ts';
import { type TrackedAssignment, trackOffsets } from './sink-offsets.ts';
import { createHeldSlabs } from './sink-receipts.ts';
import { completeSlab, createBatchHolds, createSlabPool, type Slab } from './sink-slab.ts';

export interface SinkRunnerOptions {
  /** Id of the sink document; label of metrics, and `sinks/<id>` in dead letters. */
  readonly id: string;
  readonly wire: SinkWire;
  readonly limits: BatchLimits;
  readonly filter: BytesFilter | null;
  /** For values that begin with a zero byte: Confluent-framed Avro. */
  readonly decode: DecodeValue;
  readonly ports: Partial<SinkPorts>;
  readonly letters: LetterBox;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: MetricsPort;
  readonly logger: Logger;
  /** Makes the log deliver the partition again from `offset`; needed by receivers that prove after their answers. */
  readonly reread?: (tp: TopicPartition, offset: number) => void;
  /** Told of requests, by receivers that keep a log of them. */
  readonly onDelivery?: (note: DeliveryNote) => void;
  /** The sink was paused for this, or runs again (null). */
  readonly onState?: (fault: SinkFault | null) => void;
  /** Longest wait for requests in flight when a partition is revoked, ms; default 5,000. */
  readonly drainMs?: number;
}

export interface SinkRunner {
  readonly handler: BatchHandler;
  /** Why the sink is paused; null while it runs. For health pages. */
  paused(): SinkFault | null;
  /** Gives up what is unfinished and waits until nothing runs. Call it after the consumer has stopped. Idempotent. */
  stop(): Promise<void>;
}

export function createSinkRunner(options: SinkRunnerOptions): SinkRunner {
  const { id, wire, limits, ports, clock, random, metrics, logger, drainMs = 5_000 } = options;
  const labels = { sink: id };
  const stopping = new AbortController();
  const holds = createBatchHolds();
  const check = createSpliceCheck();
  const pool = createSlabPool(
    limits.inFlight + 2,
    Math.max(limits.maxBytes, wire.maxEventBytes + wire.overheadBytes),
    limits.maxEvents,
    holds,
  );
  const guard = createFaultGuard();
  const lost = new WeakSet<TrackedAssignment>();
  const tracked = new WeakMap<Assignment, TrackedAssignment>();
  const ready: Slab[] = [];
  const active = new Set<Slab>();
  let open: Slab | null = null;
  const limit = createAdaptiveLimit(limits.minInFlight, limits.inFlight);
  let naps = new Set<AbortController>();

  const receiver = wire.receiver(ports, {
    clock,
    random,
    signal: stopping.signal,
    inFlight: limits.inFlight,
    onEndpoint(origin, up) {
      metrics.gauge('tocsin_sink_endpoint_up', up ? 1 : 0, { ...labels, endpoint: origin });
      if (up) logger.info('sink endpoint is back', { endpoint: origin });
      else logger.warn('sink endpoint is down', { endpoint: origin });
    },
    onResent: (events) => metrics.count('tocsin_sink_events_total', { ...labels, outcome: 'resent' }, events),
    ...(options.onDelivery === undefined ? {} : { onDelivery: options.onDelivery }),
    onRetry: (why) => {
      metrics.count('tocsin_sink_requests_total', { ...labels, class: 'transient' });
      logger.warn('sink retries', { ...why });
      reportAge();
    },
  });
  const gate = createSinkGate({
    probe: () => receiver.probe().catch(() => false),
    wait,
    random,
    onPause(fault) {
      metrics.gauge('tocsin_sink_paused', 1, labels);
      logger.error('sink paused: the receiver refuses it; nothing is lost, offsets are kept', { ...fault });
      options.onState?.(fault);
    },
    onResume() {
      metrics.gauge('tocsin_sink_paused', 0, labels);
      logger.info('sink resumed');
      options.onState?.(null);
      pump();
    },
  });
  const service = `sinks/${id}`;
  const letters = createLetters({
    box: options.letters,
    service,
    clock,
    logger,
    signal: stopping.signal,
  });

  const gone = (assignment: TrackedAssignment): boolean =>
    assignment.signal.aborted || lost.has(assignment) || stopping.signal.aborted;
  const abandoned = (slab: Slab): boolean => slab.segments.every(({ assignment }) => gone(assignment));
  const covers = (slab: Slab | null, assignment: TrackedAssignment): boolean =>
    slab?.segments.some((segment) => segment.assignment === assignment) === true;

  const held = createHeldSlabs({
    wait,
    random,
    gone,
    reread(tp, offset) {
      logger.warn('sink reads events again that were not acknowledged', { ...tp, offset });
      options.reread?.(tp, offset);
    },
    onLost: (events) => metrics.count('tocsin_sink_events_total', { ...labels, outcome: 'resent' }, events),
    onSettled() {
      pool.wake();
      reportAge();
    },
  });

  /** Sleeps until the time is over or `wakeAll` was called; never rejects. */
  async function wait(ms: number): Promise<void> {
    if (stopping.signal.aborted) return;
    const nap = new AbortController();
    naps.add(nap);
    await clock.sleep(ms, nap.signal).catch(() => undefined);
    naps.delete(nap);
  }

  function wakeAll(): void {
    const woken = naps;
    naps = new Set();
    for (const nap of woken) nap.abort();
    gate.wake();
    pool.wake();
  }

  async function send(body: Buffer, events: number): Promise<BatchVerdict> {
    const began = clock.now();
    const full = active.size >= limit.current();
    let verdict: BatchVerdict;
    try {
      verdict = await receiver.send(body, events);
    } catch (error) {
      // A defect must not move offsets: the sink stands still, visibly.
      verdict = {
        class: 'sink-fault',
        code: 'bug',
        detail: error instanceof Error ? error.message : String(error),
      };
    }
    adapt(verdict, began, full);
    metrics.observe('tocsin_sink_request_seconds', (clock.now() - began) / 1000, labels);
    metrics.count('tocsin_sink_requests_total', { ...labels, class: verdict.class });
    if ('repeated' in verdict && verdict.repeated !== undefined && verdict.repeated > 0)
      metrics.count('tocsin_sink_events_total', { ...labels, outcome: 'repeated' }, verdict.repeated);
    if (verdict.class === 'per-event')
      logger.warn('sink: not all events of a request were stored', {
        code: verdict.code,
        detail: verdict.detail,
        events,
        not_stored: verdict.events.length,
      });
    if (verdict.class === 'transient')
      logger.warn('sink retries', { code: verdict.code, detail: verdict.detail, events });
    if (verdict.class === 'event-fault')
      logger.warn('sink isolates an event', { code: verdict.code, detail: verdict.detail, events });
    reportAge();
    return verdict;
  }

  function adapt(verdict: BatchVerdict, began: number, full: boolean): void {
    const now = clock.now();
    if ('slowDown' in verdict && verdict.slowDown) {
      if (limit.overloaded(began, now))
        logger.info('sink sends fewer requests at a time', { limit: limit.current() });
    } else if (verdict.class === 'delivered' || verdict.class === 'per-event')
      limit.answered(began, now, full);
    metrics.gauge('tocsin_sink_concurrency_limit', limit.current(), labels);
  }

  function reportAge(): void {
    let oldest = Math.min(open?.oldest ?? Number.POSITIVE_INFINITY, held.oldest());
    for (const slab of ready) oldest = Math.min(oldest, slab.oldest);
    for (const slab of active) oldest = Math.min(oldest, slab.oldest);
    const seconds = Number.isFinite(oldest) ? Math.max(0, clock.now() - oldest) / 1000 : 0;
    metrics.gauge('tocsin_sink_oldest_uncommitted_seconds', seconds, labels);
    metrics.gauge('tocsin_sink_in_flight', active.size, labels);
    metrics.gauge('tocsin_sink_unacknowledged', held.events(), labels);
  }

  async function run(slab: Slab): Promise<void> {
    const receipts = await deliver(slab, {
      wire,
      send,
      letters,
      guard,
      gate,
      random,
      wait,
      abandoned,
      onDelivered(events, bytes) {
        metrics.count('tocsin_sink_events_total', { ...labels, outcome: 'delivered' }, events);
        metrics.count('tocsin_sink_bytes_total', labels, bytes);
      },
      onDeadLetter: (events) =>
        metrics.count('tocsin_sink_events_total', { ...labels, outcome: 'dead_letter' }, events),
    });
    if (receipts !== null && receipts.length > 0) held.hold(slab, receipts);
    else if (receipts !== null) completeSlab(slab);
    active.delete(slab);
    pool.give(slab);
    pump();
    idle();
    reportAge();
  }

  function pump(): void {
    while (ready.length > 0 && active.size < limit.current() && gate.open() && !stopping.signal.aborted) {
      const slab = ready.shift()!;
      active.add(slab);
      void run(slab);
    }
  }

  function flush(): void {
    if (open === null || open.events === 0) return;
    ready.push(open);
    open = null;
    pump();
  }

  function idle(): void {
    const todo = whenIdle(limits, open?.events ?? 0, active.size + ready.length);
    if (todo === 'flush') flush();
    if (todo === 'linger' && open !== null) linger(open, open.use);
  }

  let lingering: Slab | null = null;
  function linger(slab: Slab, use: number): void {
    if (lingering === slab) return;
    lingering = slab;
    void wait(limits.lingerMs).then(() => {
      if (lingering === slab) lingering = null;
      if (open === slab && slab.use === use) flush();
      else idle();
    });
  }

  async function room(bytes: number, isGone: () => boolean): Promise<boolean> {
    for (;;) {
      if (isGone()) return false;
      if (open !== null) {
        if (fits(limits, open.used, open.events, bytes)) return true;
        flush();
        continue;
      }
      open = pool.take();
      if (open === null) await pool.freed();
    }
  }

  function track(assignment: Assignment): TrackedAssignment {
    let found = tracked.get(assignment);
    if (found === undefined) {
      found = trackOffsets(assignment);
      tracked.set(assignment, found);
      assignment.signal.addEventListener('abort', wakeAll, { once: true });
    }
    return found;
  }

  async function drained(assignment: TrackedAssignment): Promise<void> {
    const deadline = clock.now() + drainMs;
    while (
      clock.now() < deadline &&
      ([...active].some((slab) => covers(slab, assignment)) ||
        ready.some((slab) => covers(slab, assignment)) ||
        held.covers(assignment))
    )
      await Promise.race([pool.freed(), wait(deadline - clock.now())]);
  }

  async function releaseReady(): Promise<void> {
    // Slabs that wait for a paused sink and that nobody needs: their records will be read again by their new owner.
    for (const slab of ready.splice(0)) {
      if (abandoned(slab) && (gate.paused() !== null || stopping.signal.aborted)) pool.give(slab);
      else ready.push(slab);
    }
  }

  return {
    handler: {
      async onBatch(batch, assignment) {
        holds.hold(batch);
        try {
          await fill(batch, track(assignment), {
            service,
            wire,
            limits,
            filter: options.filter,
            decode: options.decode,
            letters,
            holds,
            check,
            open: () => open,
            room,
            flush,
            wait,
            gone,
            onOutcome: (outcome, count) =>
              metrics.count('tocsin_sink_events_total', { ...labels, outcome }, count),
          });
        } finally {
          holds.drop(batch);
        }
        idle();
      },
      async onUnreadable(range) {
        // Rejecting stops the consumer; it reads the range again when it is back.
        await options.letters.send([unreadableRecord(range, { stage: 'sink', service, at: clock.now() })]);
        metrics.count('tocsin_sink_events_total', { ...labels, outcome: 'dead_letter' });
      },
      async onRevoked(revoked, reason) {
        const assignment = track(revoked);
        if (reason === 'lost') lost.add(assignment);
        if (covers(open, assignment)) flush();
        await releaseReady();
        wakeAll();
        receiver.hurry?.();
        if (reason === 'revoked') await drained(assignment);
      },
    },
    paused: gate.paused,
    async stop() {
      stopping.abort();
      if (open !== null) {
        ready.push(open);
        open = null;
      }
      await releaseReady();
      wakeAll();
      receiver.close?.();
      while (active.size > 0) await pool.freed();
    },
  };
}
