// Durable timers of one input topic: pending ones lie in a compacted topic, and the owner of a partition fires them from memory.
//
// Invariant: never early, and never lost: a timer leaves the log only after its input is acknowledged. A crash between the two
// fires it again with the same token and due time; the receiver takes a fire for stale unless it waits for exactly these.
//
// Surprise: all records of a partition must go through the one outbox that is given here, which keeps their order: a removal that
// overtook the record of a timer set again would lose it. An owner that was replaced without knowing it can still write such a
// removal; a new token for every wait is safe from that, a token set again is not.
import { deadLetterRecord } from '../../domain/dead-letter.ts';
import type { Clock } from '../../ports/clock.ts';
import { type LogClient, LogError, type OutRecord, type RecordBatch } from '../../ports/log.ts';
import type { Logger } from '../../ports/logger.ts';
import type { MetricsPort } from '../../ports/metrics.ts';
import { topics } from '../../topics.ts';
import type { Outbox } from '../outbox.ts';
import type { FoldTimers } from './fold-runner.ts';
import { readPartition } from './read-partition.ts';
import { createTimerHeap, type PendingTimer, type TimerHeap } from './timer-heap.ts';
import {
  bodyOf,
  firedRecord,
  payloadOf,
  pendingRecord,
  readTimer,
  removalRecord,
  type TimerPlace,
} from './timer-records.ts';

export interface TimersOptions {
  /** Name of the topic that timers fire into; the timer topic has as many partitions. */
  readonly input: string;
  /** Name of the compacted topic; default timers.v1. */
  readonly topic?: string;
  readonly service: string;
  readonly client: Pick<LogClient, 'table'>;
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly metrics: MetricsPort;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** A defect: timers of a partition no longer fire, and the service must not go on as if they did. */
  readonly onFailure: (error: Error) => void;
  /** Longest sleep, ms; default 1,000: a wall clock that was set forward is noticed so soon. */
  readonly maxSleepMs?: number;
}

/** The timers of a fold, and what others may ask of those that are pending. */
export interface Timers extends FoldTimers {
  /** Whether a timer is pending; one on its way into the input topic is not. */
  has(partition: number, token: string): boolean;
  /** What a pending timer carries; null when none is pending. */
  payload(partition: number, token: string): Readonly<Record<string, unknown>> | null;
  /** A pending timer fires from `due` (epoch ms) on instead; forgotten when the owner changes. False when none is pending. */
  hasten(partition: number, token: string, due: number): boolean;
  /** Every pending timer of a partition, in no order. */
  each(
    partition: number,
    visit: (token: string, due: number, payload: Readonly<Record<string, unknown>>) => void,
  ): void;
  /** Characters of all that is pending, over all partitions. */
  readonly chars: number;
}

/** Most timers in one slice; other work has its turn between two. */
const maxSlice = 500;
/** Wait between two tries while the log does not answer, ms. */
const retryMs = 500;

/** One partition while this member owns it. */
interface Held {
  readonly place: TimerPlace;
  readonly heap: TimerHeap;
  /** Taken out to be fired, by token, without those that were cancelled or set again meanwhile. */
  readonly firing: Map<string, PendingTimer>;
  readonly released: AbortController;
  /** Aborted when released, revoked or stopped. */
  readonly signal: AbortSignal;
  /** Epoch ms; Infinity while nothing is pending, null while awake. */
  sleepsUntil: number | null;
  wake: () => void;
}

export function createTimers(options: TimersOptions): Timers {
  const { input, service, outbox, clock, metrics, logger, signal, maxSleepMs = 1_000 } = options;
  const topic = options.topic ?? topics.timers.name;
  const owned = new Map<number, Held>();
  const placeOf = (partition: number): TimerPlace => ({ topic, input, partition });

  const gauge = ({ heap, firing, place }: Held): void =>
    metrics.gauge('tocsin_timers_pending', heap.size + firing.size, {
      topic: input,
      partition: String(place.partition),
    });

  /** Sleeps `ms`, or until woken when null. */
  async function rest(held: Held, ms: number | null): Promise<void> {
    const nap = new AbortController();
    const woken = new Promise<void>((resolve) => {
      held.wake = () => {
        nap.abort();
        resolve();
      };
    });
    held.sleepsUntil = ms === null ? Infinity : clock.now() + ms;
    if (!held.signal.aborted)
      await (ms === null ? woken : clock.sleep(ms, nap.signal).catch(() => undefined));
    held.sleepsUntil = null;
    held.wake = () => undefined;
  }

  async function read(place: TimerPlace): Promise<TimerHeap> {
    const heap = createTimerHeap();
    await readPartition(options.client, topic, place.partition, (batch) => addBatch(heap, place, batch));
    return heap;
  }

  function addBatch(heap: TimerHeap, place: TimerPlace, batch: RecordBatch): void {
    for (let index = 0; index < batch.count; index++) {
      const found = readTimer(place, batch, index);
      if (found === null) continue;
      if ('problem' in found) {
        const offset = batch.offset(index);
        logger.error('a record of the timer topic is no timer', { ...place, offset, problem: found.problem });
      } else if (found.timer === null) heap.cancel(found.token);
      else heap.set(found.token, found.timer.due, found.timer.body);
    }
  }

  /** Tries until the partition was read; rejects when it is gone. */
  async function readUntilDone(place: TimerPlace, gone: AbortSignal): Promise<TimerHeap> {
    for (;;) {
      gone.throwIfAborted();
      try {
        return await read(place);
      } catch (error) {
        logger.warn('timers could not be read, trying again', { ...place, error: String(error) });
        await clock.sleep(retryMs, gone);
      }
    }
  }

  async function run(held: Held): Promise<void> {
    while (!held.signal.aborted) {
      const now = clock.now();
      const due = held.heap.nextDue();
      if (due === null) await rest(held, null);
      else if (due > now) await rest(held, Math.min(due - now, maxSleepMs));
      else {
        await fire(held, held.heap.take(now, maxSlice));
        await clock.sleep(0, held.signal).catch(() => undefined);
      }
    }
  }

  /** Inputs first; when they are acknowledged, and the partition is still ours, removals. */
  async function fire(held: Held, timers: readonly PendingTimer[]): Promise<void> {
    const { firing, place } = held;
    for (const timer of timers) firing.set(timer.token, timer);
    try {
      await deliver(held, timers);
      if (held.signal.aborted) return;
      const removals = [...firing.keys()].map((token) => removalRecord(place, token));
      firing.clear();
      gauge(held);
      await outbox.send(removals);
    } catch (error) {
      if (held.signal.aborted) return;
      logger.error('timers could not be fired, trying again', { ...place, error: String(error) });
      for (const { token, due, body } of firing.values()) held.heap.set(token, due, body);
      firing.clear();
      await clock.sleep(retryMs, held.signal).catch(() => undefined);
    }
  }

  async function deliver(held: Held, timers: readonly PendingTimer[]): Promise<void> {
    const firedAt = clock.now();
    const records = timers.map((timer) => firedRecord(held.place, timer, firedAt));
    try {
      await outbox.send(records);
    } catch (error) {
      if (!(error instanceof LogError) || error.retriable) throw error;
      await deliverSingly(held, timers, records);
    }
    const acknowledgedAt = clock.now();
    for (const { due } of timers)
      metrics.observe('tocsin_timer_lateness_seconds', (acknowledgedAt - due) / 1_000, { topic: input });
  }

  /** One that the log will never take must not hold the others: it becomes a dead letter. */
  async function deliverSingly(
    held: Held,
    timers: readonly PendingTimer[],
    records: readonly OutRecord[],
  ): Promise<void> {
    for (const [index, record] of records.entries()) {
      if (held.signal.aborted) return;
      if (!held.firing.has(timers[index]!.token)) continue;
      try {
        await outbox.send([record]);
      } catch (error) {
        if (!(error instanceof LogError) || error.retriable) throw error;
        await outbox.send([refusedLetter(held.place, record, error)]);
      }
    }
  }

  function refusedLetter({ partition }: TimerPlace, record: OutRecord, error: LogError): OutRecord {
    metrics.count('tocsin_dead_letters_total', { service, reason: 'timer_refused' });
    logger.error('the log refuses the input of a timer', { topic, partition, error: error.message });
    return deadLetterRecord({
      stage: 'input',
      reason: 'timer_refused',
      error: error.message,
      // Where the timer lay is not kept in memory.
      source: { topic, partition, offset: -1 },
      service,
      attempts: 1,
      at: clock.now(),
      key: Buffer.from(record.key ?? ''),
      value: Buffer.from(record.value ?? ''),
      headers: [],
    });
  }

  function release(partition: number): void {
    const held = owned.get(partition);
    if (held === undefined) return;
    owned.delete(partition);
    held.released.abort();
    metrics.gauge('tocsin_timers_pending', 0, { topic: input, partition: String(partition) });
  }

  function wakeInTime(held: Held): void {
    const due = held.heap.nextDue();
    if (due !== null && held.sleepsUntil !== null && due < held.sleepsUntil) held.wake();
  }

  return {
    record(partition, key, effect) {
      const { token } = effect;
      const place = placeOf(partition);
      const held = owned.get(partition);
      // From here on the log says something new about this token, after all that was sent before: what is pending or on its way
      // is over, and its removal must not follow.
      held?.heap.cancel(token);
      held?.firing.delete(token);
      if (effect.kind === 'cancel-timer') return removalRecord(place, token);
      if (!Number.isFinite(effect.due)) throw new TypeError(`timer ${token}: due must be a finite number`);
      return pendingRecord(place, key, effect);
    },
    async onAssigned(assignment) {
      const { partition } = assignment;
      release(partition);
      const place = placeOf(partition);
      const released = new AbortController();
      const gone = AbortSignal.any([assignment.signal, signal, released.signal]);
      const heap = await readUntilDone(place, gone);
      gone.throwIfAborted();
      const held: Held = {
        place,
        heap,
        firing: new Map(),
        released,
        signal: gone,
        sleepsUntil: null,
        wake: () => undefined,
      };
      owned.set(partition, held);
      gone.addEventListener('abort', () => held.wake(), { once: true });
      gauge(held);
      void run(held).catch((error: unknown) =>
        options.onFailure(error instanceof Error ? error : new Error(String(error))),
      );
    },
    onRevoked: release,
    applied(partition, effects) {
      const held = owned.get(partition);
      if (held === undefined) return;
      for (const { key, effect } of effects) {
        if (effect.kind === 'timer') {
          // In memory alone: an owner whose clock is right takes the time in the log.
          const from = effect.after === undefined ? effect.due : clock.now() + effect.after;
          held.heap.set(effect.token, Math.max(effect.due, from), bodyOf(key, effect.payload));
        } else if (effect.kind === 'cancel-timer') held.heap.cancel(effect.token);
      }
      gauge(held);
      wakeInTime(held);
    },
    has: (partition, token) => owned.get(partition)?.heap.has(token) ?? false,
    payload(partition, token) {
      const body = owned.get(partition)?.heap.body(token);
      return body === undefined ? null : payloadOf(body);
    },
    hasten(partition, token, due) {
      const held = owned.get(partition);
      if (held === undefined || !held.heap.move(token, due)) return false;
      wakeInTime(held);
      return true;
    },
    each(partition, visit) {
      owned.get(partition)?.heap.each(({ token, due, body }) => visit(token, due, payloadOf(body)));
    },
    get chars() {
      let sum = 0;
      for (const { heap } of owned.values()) sum += heap.chars;
      return sum;
    },
  };
}
