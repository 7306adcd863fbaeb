// Everybody who listens to events as they come: one reader of the topics for all, places for a bounded number of clients.
//
// Invariant: a client begins at offsets that are known before its first byte, whatever the live reader has read by then: what lies
// between comes from the ring or from the log. Nobody's socket is waited for.
// Surprise: without clients nothing is read; the reader ends a while after the last one has left.
import type { Gap } from '../../domain/stream/frame.ts';
import type { Position } from '../../domain/stream/position.ts';
import type { EventFacts } from '../../domain/stream/stream-event.ts';
import type { Clock } from '../../ports/clock.ts';
import { type LogAdmin, type LogClient, LogError } from '../../ports/log.ts';
import type { Logger } from '../../ports/logger.ts';
import type { MetricsPort } from '../../ports/metrics.ts';
import type { Topic } from '../../topics.ts';
import { createCatchUp } from './catch-up.ts';
import { type LiveReader, listOf, startLiveReader } from './live-reader.ts';
import { gapEntry } from './read-entries.ts';
import { type ClientLimits, createStreamClient, type Outlet, type StreamClient } from './stream-client.ts';

export interface StreamLimits extends ClientLimits {
  readonly clients: number;
  readonly clientsPerKey: number;
  /** Bytes of the newest events, for all clients together. */
  readonly ringBytes: number;
  readonly catchUpReaders: number;
  readonly catchUpBytes: number;
  readonly catchUpTurnMs: number;
  /** Time between two looks at a client's key, ms. */
  readonly checkMs: number;
  /** How long a key may go unchecked because its store does not answer, ms. */
  readonly uncheckedMs: number;
  /** How long a client waits at most until it is known where to begin, ms. */
  readonly prepareMs: number;
  /** How long the reader goes on without clients, ms. */
  readonly lingerMs: number;
}

export const streamLimits: StreamLimits = {
  clients: 200,
  clientsPerKey: 5,
  ringBytes: 32 * 1_048_576,
  boundBytes: 256 * 1_024,
  stallMs: 30_000,
  heartbeatMs: 15_000,
  retryMs: 3_000,
  catchUpReaders: 4,
  catchUpBytes: 1_048_576,
  catchUpTurnMs: 10_000,
  checkMs: 5_000,
  uncheckedMs: 45_000,
  prepareMs: 5_000,
  lingerMs: 60_000,
};

export interface StreamHubOptions {
  readonly log: Pick<LogClient, 'table'>;
  readonly admin: Pick<LogAdmin, 'endOffsets' | 'startOffsets' | 'offsetsAt'>;
  /** Every topic that a client may ask for. */
  readonly topics: readonly Topic[];
  readonly clock: Clock;
  readonly metrics: MetricsPort;
  readonly logger: Logger;
  readonly limits?: Partial<StreamLimits>;
}

/** Where a client begins. */
export type StreamFrom =
  | { readonly kind: 'now' }
  | { readonly kind: 'time'; readonly at: number }
  | { readonly kind: 'position'; readonly position: Position };

export interface StreamRequest {
  /** Ids; at least one. */
  readonly topics: readonly string[];
  readonly from: StreamFrom;
}

export interface AttachOptions {
  readonly outlet: Outlet;
  readonly passes: ((facts: EventFacts) => boolean) | null;
  /** Whether the key is good still; null when that cannot be told now. */
  readonly allowed: () => boolean | null;
  readonly warnings: readonly string[];
}

/** One of the places for clients. */
export interface StreamPlace {
  /** Finds out where to begin. Rejects with LogError while the log does not answer. */
  prepare(request: StreamRequest): Promise<(options: AttachOptions) => StreamClient>;
  /** Gives the place back; also ends the client. Idempotent. */
  leave(): void;
}

export interface StreamHub {
  /** A place, or why there is none: too many of this key, too many in all, or the service stops. */
  admit(key: string): StreamPlace | 'key' | 'all' | 'stopping';
  /** Tells every client its last position and ends. */
  stop(): Promise<void>;
}

interface Listener {
  readonly client: StreamClient;
  readonly allowed: () => boolean | null;
  checkedAt: number;
}

const tickMs = 1_000;

export function createStreamHub(options: StreamHubOptions): StreamHub {
  const { log, admin, clock, metrics, logger } = options;
  const limits: StreamLimits = { ...streamLimits, ...options.limits };
  const stopping = new AbortController();
  const places = new Map<object, string>();
  const listeners = new Map<object, Listener>();
  const catchUp = createCatchUp({
    log,
    admin,
    clock,
    metrics,
    readers: limits.catchUpReaders,
    bufferBytes: limits.catchUpBytes,
    turnMs: limits.catchUpTurnMs,
  });
  let reader: Promise<LiveReader> | null = null;
  let isReading = false;
  let emptySince = clock.now();
  let ticking = false;

  function liveReader(): Promise<LiveReader> {
    if (reader !== null) return reader;
    const started = startLiveReader({
      log,
      admin,
      topics: options.topics,
      ringBytes: limits.ringBytes,
      clock,
      metrics,
      onEntries: () => {
        for (const { client } of listeners.values()) client.wake();
      },
      onFailure: (error) => {
        logger.warn('the event stream cannot read the log', { error: String(error) });
        for (const { client } of listeners.values()) client.end('log');
        if (reader === started) void stopReader();
      },
    });
    reader = started;
    started.then(
      () => {
        isReading = reader === started;
      },
      () => {
        if (reader === started) reader = null;
      },
    );
    void tickWhileNeeded();
    return started;
  }

  async function stopReader(): Promise<void> {
    const stopped = reader;
    reader = null;
    isReading = false;
    await stopped?.then((live) => live.stop()).catch(() => undefined);
  }

  async function tickWhileNeeded(): Promise<void> {
    if (ticking) return;
    ticking = true;
    while (reader !== null && !stopping.signal.aborted) {
      await clock.sleep(tickMs, stopping.signal).catch(() => undefined);
      for (const listener of listeners.values()) tick(listener);
      if (places.size === 0 && clock.now() - emptySince >= limits.lingerMs) await stopReader();
    }
    ticking = false;
  }

  function tick(listener: Listener): void {
    const now = clock.now();
    if (now - listener.checkedAt >= limits.checkMs) {
      const allowed = listener.allowed();
      if (allowed === true) listener.checkedAt = now;
      else if (allowed === false || now - listener.checkedAt >= limits.uncheckedMs) {
        listener.client.end('key');
        return;
      }
    }
    listener.client.tick();
  }

  /** The log's own patience is longer than that of people. */
  async function inTime<Value>(work: () => Promise<Value>): Promise<Value> {
    const done = new AbortController();
    const late = clock.sleep(limits.prepareMs, done.signal).then(() => {
      throw new LogError('the log does not answer in time', { retriable: true });
    });
    try {
      return await Promise.race([work(), late]);
    } finally {
      late.catch(() => undefined);
      done.abort();
    }
  }

  const topicOf = (id: string): Topic => {
    const found = options.topics.find((topic) => topic.id === id);
    if (found === undefined) throw new RangeError(`${id} is no topic of the event stream`);
    return found;
  };

  /** Next offsets of one topic, and what a position names that is not there. */
  async function beginOf(topic: Topic, from: StreamFrom): Promise<{ next: number[]; gaps: Gap[] }> {
    if (from.kind === 'time') return { next: listOf(await admin.offsetsAt(topic.name, from.at)), gaps: [] };
    const ends = listOf(await admin.endOffsets(topic.name));
    const named = from.kind === 'position' ? from.position.get(topic.id) : undefined;
    if (named === undefined) return { next: ends, gaps: [] };
    const isPast = (offset: number, partition: number): boolean => offset > (ends[partition] ?? -1);
    const starts = named.some(isPast) ? listOf(await admin.startOffsets(topic.name)) : [];
    const gaps = named.flatMap((offset, partition): Gap[] =>
      isPast(offset, partition)
        ? [{ topic: topic.id, partition, from: offset, to: starts[partition] ?? 0, reason: 'reset' }]
        : [],
    );
    return { next: named.slice(0, ends.length), gaps };
  }

  return {
    admit(key) {
      if (stopping.signal.aborted) return 'stopping';
      if ([...places.values()].filter((each) => each === key).length >= limits.clientsPerKey) return 'key';
      if (places.size >= limits.clients) return 'all';
      const place = {};
      places.set(place, key);
      metrics.gauge('tocsin_stream_clients', places.size);
      const leave = (): void => {
        const listener = listeners.get(place);
        listeners.delete(place);
        listener?.client.end('gone');
        if (!places.delete(place)) return;
        emptySince = clock.now();
        metrics.gauge('tocsin_stream_clients', places.size);
      };
      return {
        leave,
        async prepare(request) {
          const topics = request.topics.map(topicOf);
          const begins = await inTime(async () => {
            // Before the offsets are known, so that who begins now finds all that follows in the ring.
            await liveReader();
            return Promise.all(topics.map((topic) => beginOf(topic, request.from)));
          });
          const running = liveReader();
          const { ring } = await running;
          return ({ outlet, passes, allowed, warnings }) => {
            const client = createStreamClient({
              ring,
              topics,
              next: new Map(topics.map(({ id }, index) => [id, begins[index]!.next])),
              passes,
              outlet,
              limits,
              clock,
              metrics,
              catchUp: (catcher) =>
                catchUp.read(catcher, topics, ring).catch((error: unknown) => {
                  logger.warn('the log cannot be read for a client of the event stream', {
                    error: String(error),
                  });
                  throw error;
                }),
              onEnd: leave,
            });
            listeners.set(place, { client, allowed, checkedAt: clock.now() });
            client.begin(
              warnings,
              begins.flatMap(({ gaps }) => gaps.map(gapEntry)),
            );
            if (stopping.signal.aborted) client.end('shutdown');
            else if (!places.has(place)) client.end('gone');
            else if (reader !== running) client.end('log');
            return client;
          };
        },
      };
    },
    async stop() {
      stopping.abort();
      for (const { client } of listeners.values()) client.end('shutdown');
      // One that waits for a log which does not answer stops when it has begun.
      const hasBegun = isReading;
      const stopped = stopReader();
      if (hasBegun) await stopped;
    },
  };
}
