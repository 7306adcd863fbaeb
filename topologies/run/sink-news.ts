// What a sink tells about itself: its requests on deliveries.v1, and when it was paused or runs again there and, as system.alert, on events.v1.
//
// Invariant: telling never holds a delivery up, and is bounded: so many requests a second, failures and successes apart, and what was
// left out is counted in the next record. The last state is always told.
import { createHash } from 'node:crypto';
import type { DeliveryAttempt, DeliveryState, EventEnvelope } from '@tocsin/schemas/types.ts';
import { type Bucket, fullBucket, takeToken } from '../domain/delivery/rate-limit.ts';
import type { DeliveryNote } from '../domain/sink/define-sink.ts';
import type { Clock } from '../ports/clock.ts';
import type { OutRecord } from '../ports/log.ts';
import type { Logger } from '../ports/logger.ts';
import { topics } from '../topics.ts';
import type { SinkFault } from './sink-gate.ts';
import type { LetterBox } from './sink-letters.ts';

export interface SinkNewsOptions {
  readonly sink: string;
  /** Sends and retries by itself, such as an Outbox. */
  readonly box: LetterBox;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Requests told per second, of successes and of failures; default 20. */
  readonly perSecond?: number;
  /** Shortest time between two alerts, ms; default 60,000. */
  readonly alertMs?: number;
  /** Why requests are sent; default 'sink'. */
  readonly by?: DeliveryAttempt['by'];
  readonly request?: string;
}

export interface SinkNews {
  delivery(note: DeliveryNote): void;
  /** Null: it runs again. */
  state(fault: SinkFault | null): void;
}

/** Records that wait for the log; above it nothing more is told. */
const mostWaiting = 1_000;

export function createSinkNews(options: SinkNewsOptions): SinkNews {
  const { sink, box, clock, logger, signal, perSecond = 20, alertMs = 60_000 } = options;
  const buckets: Record<'good' | 'bad', Bucket> = {
    good: fullBucket(perSecond, clock.now()),
    bad: fullBucket(perSecond, clock.now()),
  };
  let omitted = 0;
  let waiting = 0;
  let made = 0;
  let told: SinkFault | null = null;
  let current: SinkFault | null = null;
  let alertedAt = Number.NEGATIVE_INFINITY;
  let due = false;

  function idOf(...parts: readonly (string | number)[]): string {
    made += 1;
    return createHash('sha256')
      .update([sink, ...parts, made].join('\n'))
      .digest('hex')
      .slice(0, 32);
  }

  function send(records: readonly OutRecord[]): void {
    waiting += 1;
    box.send(records).then(
      () => {
        waiting -= 1;
      },
      (error: unknown) => {
        waiting -= 1;
        logger.warn('not told of deliveries', { error: String(error) });
      },
    );
  }

  function mayTell(kind: 'good' | 'bad'): boolean {
    const { bucket, waitMs } = takeToken(buckets[kind], perSecond, clock.now());
    buckets[kind] = bucket;
    return waitMs === 0 && waiting < mostWaiting;
  }

  function tellState(): void {
    due = false;
    if (signal.aborted || (current === null) === (told === null)) return;
    told = current;
    const at = clock.now();
    alertedAt = at;
    const id = idOf('state', at);
    const why = current === null ? {} : { code: current.code, detail: current.detail.slice(0, 1024) };
    const state: DeliveryState = { v: 1, kind: 'state', id, sink, at, paused: current !== null, ...why };
    const alert: EventEnvelope = {
      id,
      event: 'system.alert',
      timestamp: new Date(at).toISOString(),
      hops: 0,
      data: {
        code: current === null ? 'sink_resumed' : 'sink_paused',
        component: `sinks/${sink}`,
        severity: current === null ? 'informational' : 'high',
        ...(current === null ? {} : { reason: current.code, detail: why.detail }),
      },
    };
    send([
      { topic: topics.deliveries.name, key: sink, value: JSON.stringify(state) },
      { topic: topics.events.name, key: `sinks/${sink}`, value: JSON.stringify(alert) },
    ]);
  }

  return {
    delivery(note) {
      if (!mayTell(note.status === 'delivered' ? 'good' : 'bad')) {
        omitted += 1;
        return;
      }
      const { source, payload } = note;
      const event = payload === undefined ? null : typeOf(payload);
      const record: DeliveryAttempt = {
        v: 1,
        kind: 'attempt',
        id: idOf(note.eventId, note.at, note.attempt),
        sink,
        at: note.at,
        by: options.by ?? 'sink',
        ...(options.request === undefined ? {} : { request: options.request }),
        event_id: note.eventId,
        ...(event === null ? {} : { event }),
        ...(source.offset < 0 ? {} : { source }),
        events: note.events,
        attempt: note.attempt,
        status: note.status,
        ...(note.statusCode === undefined ? {} : { status_code: note.statusCode }),
        ...(note.code === undefined ? {} : { code: note.code.slice(0, 128) }),
        ...(note.detail === undefined ? {} : { detail: note.detail.slice(0, 1024) }),
        latency_ms: Math.round(note.latencyMs),
        ...(note.response === undefined || note.response === '' ? {} : { response: note.response }),
        ...(omitted === 0 ? {} : { omitted }),
      };
      omitted = 0;
      send([{ topic: topics.deliveries.name, key: sink, value: JSON.stringify(record) }]);
    },
    state(fault) {
      current = fault;
      if (due) return;
      const rest = alertedAt + alertMs - clock.now();
      if (!(rest > 0)) {
        tellState();
        return;
      }
      due = true;
      clock.sleep(rest, signal).then(tellState, () => undefined);
    },
  };
}

/** The type of an event that lies in a payload; null where it has none. */
function typeOf(payload: Buffer): string | null {
  try {
    const value = JSON.parse(payload.toString('utf8')) as { event?: unknown } | null;
    const type = value?.event;
    return typeof type === 'string' && type.length <= 256 ? type : null;
  } catch {
    return null;
  }
}
