// The sink runner: record batches in, requests out, offsets complete when the receiver has the events.
//
// Invariant: an offset completes only after its record was stored by the receiver, acknowledged in the dead letters, filtered
// out, or found to be a null value. Memory is (in_flight + 2) slabs, whatever the receiver does; a full runner holds its
// partitions back by not resolving onBatch.
// Surprise: one slab takes events of several partitions; their offsets complete together.
import { unreadableRecord } from '../domain/dead-letter.ts';
import { type BatchLimits, fits, nextLimit, whenIdle } from '../domain/sink/batch.ts';
import type { BatchVerdict, DeliveryNote, SinkPorts, SinkWire } from '../domain/sink/define-sink.ts';
import { createFaultGuard } from '../domain/sink/fault-guard.ts';
import type { EventFilter } from '../domain/sink/filter.ts';
import { createSpliceCheck } from '../domain/sink/splice-check.ts';
import type { Clock, Random } from '../ports/clock.ts';
import type { Assignment, BatchHandler } from '../ports/log.ts';
import type { Logger } from '../ports/logger.ts';
import type { MetricsPort } from '../ports/metrics.ts';
import { deliver } from './sink-delivery.ts';
import { type DecodeValue, fill } from './sink-fill.ts';
import { createSinkGate, type SinkFault } from './sink-gate.ts';
import { createLetters, type LetterBox } from './sink-letters.ts';
import { completeSlab, createBatchHolds, createSlabPool, type Slab } from './sink-slab.ts';

export interface SinkRunnerOptions {
  /** Id of the sink document; label of metrics, and `sinks/<id>` in dead letters. */
  readonly id: string;
  readonly wire: SinkWire;
  readonly limits: BatchLimits;
  readonly filter: EventFilter | null;
  /** For values that begin with a zero byte: Confluent-framed Avro. */
  readonly decode: DecodeValue;
  readonly ports: Partial<SinkPorts>;
  readonly letters: LetterBox;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: MetricsPort;
  readonly logger: Logger;
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
  const lost = new WeakSet<Assignment>();
  const watched = new WeakSet<Assignment>();
  const ready: Slab[] = [];
  const active = new Set<Slab>();
  let open: Slab | null = null;
  let limit = limits.inFlight;
  let naps = new Set<AbortController>();

  const receiver = wire.receiver(ports, {
    clock,
    random,
    signal: stopping.signal,
    inFlight: limits.inFlight,
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
  const letters = createLetters({
    box: options.letters,
    service: `sinks/${id}`,
    clock,
    logger,
    signal: stopping.signal,
  });

  const gone = (assignment: Assignment): boolean =>
    assignment.signal.aborted || lost.has(assignment) || stopping.signal.aborted;
  const abandoned = (slab: Slab): boolean => slab.segments.every(({ assignment }) => gone(assignment));
  const covers = (slab: Slab | null, assignment: Assignment): boolean =>
    slab?.segments.some((segment) => segment.assignment === assignment) === true;

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

  function reportAge(): void {
    let oldest = open?.oldest ?? Number.POSITIVE_INFINITY;
    for (const slab of ready) oldest = Math.min(oldest, slab.oldest);
    for (const slab of active) oldest = Math.min(oldest, slab.oldest);
    const seconds = Number.isFinite(oldest) ? Math.max(0, clock.now() - oldest) / 1000 : 0;
    metrics.gauge('tocsin_sink_oldest_uncommitted_seconds', seconds, labels);
    metrics.gauge('tocsin_sink_in_flight', active.size, labels);
  }

  async function run(slab: Slab): Promise<void> {
    const done = await deliver(slab, {
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
      onSlowDown(slowDown) {
        limit = nextLimit(limit, limits.inFlight, slowDown);
      },
    });
    if (done) completeSlab(slab);
    active.delete(slab);
    pool.give(slab);
    pump();
    idle();
    reportAge();
  }

  function pump(): void {
    while (ready.length > 0 && active.size < Math.floor(limit) && gate.open() && !stopping.signal.aborted) {
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

  function watch(assignment: Assignment): void {
    if (watched.has(assignment)) return;
    watched.add(assignment);
    assignment.signal.addEventListener('abort', wakeAll, { once: true });
  }

  async function drained(assignment: Assignment): Promise<void> {
    const deadline = clock.now() + drainMs;
    while (
      clock.now() < deadline &&
      ([...active].some((slab) => covers(slab, assignment)) || ready.some((slab) => covers(slab, assignment)))
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
        watch(assignment);
        holds.hold(batch);
        try {
          await fill(batch, assignment, {
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
        await options.letters.send([
          unreadableRecord(range, { stage: 'sink', service: `sinks/${id}`, at: clock.now() }),
        ]);
        metrics.count('tocsin_sink_events_total', { ...labels, outcome: 'dead_letter' });
      },
      async onRevoked(assignment, reason) {
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
