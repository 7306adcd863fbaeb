// One connection: its position, its place in the ring, and how fast its socket takes what it is given.
//
// Invariant: the position names exactly what was written: every event below it was sent, filtered out, or told of as a gap, and
// nothing above it. So whoever comes back with the last position that he saw gets the rest, and nothing twice.
// Surprise: nothing is queued here but one chunk being put together; what the client has yet to get is in the ring or in the log.
import {
  type ClosedReason,
  heartbeatMessage,
  idLine,
  type Notice,
  noticeMessage,
  openingMessage,
} from '../../domain/stream/frame.ts';
import { nextStep } from '../../domain/stream/pace.ts';
import { encodePosition } from '../../domain/stream/position.ts';
import type { EventFacts } from '../../domain/stream/stream-event.ts';
import type { Clock } from '../../ports/clock.ts';
import type { MetricsPort } from '../../ports/metrics.ts';
import type { Topic } from '../../topics.ts';
import { behind, type Catcher } from './catch-up.ts';
import { type EventRing, isGap, type RingEntry } from './event-ring.ts';

/** The connection that events go to. */
export interface Outlet {
  /** Bytes that were written and not taken yet. */
  readonly pendingBytes: number;
  write(bytes: Buffer): void;
  /** The last bytes; the connection ends once they are taken, or soon without that. */
  end(bytes: Buffer): void;
}

export interface ClientLimits {
  /** Bytes that wait in the socket of one client at most, one event more. */
  readonly boundBytes: number;
  /** How long a socket may take nothing, ms. */
  readonly stallMs: number;
  readonly heartbeatMs: number;
  /** When clients are asked to come back, ms. */
  readonly retryMs: number;
}

export interface StreamClientOptions {
  readonly ring: EventRing;
  readonly topics: readonly Topic[];
  /** Next offset of every partition, by topic id; the client's own from here on. */
  readonly next: ReadonlyMap<string, number[]>;
  readonly passes: ((facts: EventFacts) => boolean) | null;
  readonly outlet: Outlet;
  readonly limits: ClientLimits;
  readonly clock: Clock;
  readonly metrics: MetricsPort;
  /** Reads the log for the client until it is no longer behind, or gone. */
  readonly catchUp: (client: Catcher) => Promise<void>;
  readonly onEnd: (reason: EndReason) => void;
}

export type EndReason = 'gone' | 'lagging' | ClosedReason;

export interface StreamClient {
  /** The first bytes, and what the client will not get because it is no longer in the log. */
  begin(warnings: readonly string[], gaps: readonly RingEntry[]): void;
  /** The ring has more, or the socket took something. */
  wake(): void;
  /** About every second: heartbeats, and an end to sockets that take nothing. */
  tick(): void;
  /** Ends the connection; `gone`: it has ended already. */
  end(reason: EndReason): void;
}

const chunkBytes = 16 * 1_024;

export function createStreamClient(options: StreamClientOptions): StreamClient {
  const { ring, topics, next, passes, outlet, limits, clock, metrics } = options;
  const gone = new AbortController();
  let state: 'opening' | 'live' | 'catching' | 'ended' = 'opening';
  let cursor = ring.first;
  let parts: Buffer[] = [];
  let partBytes = 0;
  let events = 0;
  let wroteAt = clock.now();
  // Since when the socket has taken nothing.
  let tookAt = clock.now();
  let pendingBefore = 0;
  let waiters: (() => void)[] = [];

  const nextOffset = (topic: string, partition: number): number => next.get(topic)?.[partition] ?? 0;
  const isBehind = (): boolean => topics.some((topic) => behind({ nextOffset }, topic, ring).length > 0);

  function advance(topic: string, partition: number, nextOffset: number): void {
    const offsets = next.get(topic);
    if (offsets === undefined) return;
    while (offsets.length <= partition) offsets.push(0);
    offsets[partition] = Math.max(offsets[partition]!, nextOffset);
  }

  /** Where the client stands; at the end of the ring that includes what was no event. */
  function position(): string {
    if (state === 'live' && cursor === ring.end)
      for (const { id } of topics)
        for (const [partition, offset] of ring.next(id).entries()) advance(id, partition, offset);
    return encodePosition(next);
  }

  function put(bytes: Buffer): void {
    parts.push(bytes);
    partBytes += bytes.length;
  }

  /** What was put together so far; it counts as sent. */
  function takeParts(): Buffer {
    metrics.count('tocsin_stream_bytes_total', {}, partBytes);
    if (events > 0) metrics.count('tocsin_stream_events_total', {}, events);
    const bytes = Buffer.concat(parts, partBytes);
    parts = [];
    partBytes = 0;
    events = 0;
    return bytes;
  }

  function flush(): void {
    if (partBytes === 0) return;
    look();
    outlet.write(takeParts());
    wroteAt = clock.now();
    pendingBefore = outlet.pendingBytes;
  }

  /** Notes whether the socket took something since the last look. */
  function look(): void {
    const pending = outlet.pendingBytes;
    if (pending === 0 || pending < pendingBefore) tookAt = clock.now();
    pendingBefore = pending;
  }

  const step = (isBehind: boolean) =>
    nextStep({
      pendingBytes: outlet.pendingBytes + partBytes,
      boundBytes: limits.boundBytes,
      blockedMs: outlet.pendingBytes === 0 ? 0 : clock.now() - tookAt,
      stallMs: limits.stallMs,
      behind: isBehind,
    });

  function deliver({ topic, partition, offset, content }: RingEntry): void {
    if (!next.has(topic)) return;
    const from = nextOffset(topic, partition);
    if (isGap(content) && content.reason === 'reset') {
      // Offsets of a topic that was made anew begin again below.
      const offsets = next.get(topic)!;
      if (partition < offsets.length) offsets[partition] = content.to;
    } else if (offset < from) return;
    else advance(topic, partition, offset + 1);
    if (isGap(content)) {
      const data =
        content.reason === 'retention' ? { ...content, from: Math.max(from, content.from) } : content;
      metrics.count('tocsin_stream_gaps_total', { reason: content.reason });
      put(Buffer.from(noticeMessage({ name: 'gap', data }, encodePosition(next))));
    } else if (passes === null || passes(content.facts)) {
      events += 1;
      put(content.lines);
      put(Buffer.from(idLine(encodePosition(next))));
    }
    if (partBytes >= chunkBytes) flush();
  }

  function pump(): void {
    if (state !== 'live') return;
    look();
    for (;;) {
      const isPast = cursor < ring.first;
      const away = isPast && isBehind();
      const now = step(away);
      if (now === 'close') {
        end('lagging');
        return;
      }
      if (now === 'catch-up') {
        void goBack();
        return;
      }
      if (now === 'wait') {
        flush();
        // A socket that took all of it at once does not say so later.
        if (!hasRoom()) return;
        continue;
      }
      if (isPast) cursor = ring.first;
      if (cursor === ring.end) break;
      deliver(ring.at(cursor));
      cursor += 1;
    }
    flush();
  }

  /** From memory to the log, and back once it has what memory no longer had. */
  async function goBack(): Promise<void> {
    flush();
    state = 'catching';
    try {
      while (!gone.signal.aborted && isBehind()) {
        // A full socket needs no place among the readers.
        await catcher.room();
        if (!gone.signal.aborted) await options.catchUp(catcher);
      }
    } catch {
      end('log');
    }
    if (gone.signal.aborted) return;
    state = 'live';
    cursor = ring.first;
    pump();
  }

  function wakeWaiters(): void {
    const woken = waiters;
    waiters = [];
    for (const wake of woken) wake();
  }

  const hasRoom = (): boolean => outlet.pendingBytes + partBytes < limits.boundBytes;

  const catcher: Catcher = {
    gone: gone.signal,
    nextOffset,
    advance,
    offer(entry) {
      deliver(entry);
      flush();
    },
    get hasRoom() {
      return hasRoom();
    },
    room: () =>
      new Promise((resolve) => {
        if (gone.signal.aborted || hasRoom()) resolve();
        else waiters.push(resolve);
      }),
  };

  function end(reason: EndReason): void {
    if (state === 'ended') return;
    if (reason !== 'gone') {
      const notice: Notice =
        reason === 'lagging'
          ? { name: reason, data: { reason: 'stalled' } }
          : { name: 'closed', data: { reason } };
      put(Buffer.from(noticeMessage(notice, position())));
      outlet.end(takeParts());
    }
    state = 'ended';
    parts = [];
    gone.abort();
    wakeWaiters();
    metrics.count('tocsin_stream_closes_total', { reason });
    options.onEnd(reason);
  }

  return {
    begin(warnings, gaps) {
      put(Buffer.from(openingMessage(limits.retryMs, encodePosition(next), warnings)));
      for (const gap of gaps) deliver(gap);
      flush();
      state = 'live';
      cursor = ring.first;
      if (isBehind()) void goBack();
      else pump();
    },
    wake() {
      if (state === 'ended') return;
      look();
      if (hasRoom()) wakeWaiters();
      pump();
    },
    tick() {
      if (state === 'ended') return;
      look();
      if (step(false) === 'close') {
        end('lagging');
        return;
      }
      if (hasRoom()) wakeWaiters();
      pump();
      if (clock.now() - wroteAt < limits.heartbeatMs || !hasRoom()) return;
      put(Buffer.from(heartbeatMessage(position())));
      flush();
    },
    end,
  };
}
