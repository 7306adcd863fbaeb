// Reads the log for one client from its position to where the ring begins, as fast as that client takes it.
//
// Invariant: each partition is read from the client's next offset, in order, up to what the live reader had read when the read began;
// after that the client stands at or above the floor of the ring, or another read follows. Gaps are told, never stepped over.
// Surprise: few reads run at a time. A long one gives its place up to whoever waits, and goes on when its turn comes again.
import type { Gap } from '../../domain/stream/frame.ts';
import type { Clock } from '../../ports/clock.ts';
import type { LogAdmin, LogClient, RecordBatch } from '../../ports/log.ts';
import type { MetricsPort } from '../../ports/metrics.ts';
import type { Topic } from '../../topics.ts';
import type { EventRing, RingEntry } from './event-ring.ts';
import { entriesOf, firstOffset, gapBefore, gapEntry, skipCounter } from './read-entries.ts';

/** A client as a reader sees it. */
export interface Catcher {
  /** Aborted when the client is gone. */
  readonly gone: AbortSignal;
  nextOffset(topic: string, partition: number): number;
  /** Sends what passes the filter; moves the position in any case. */
  offer(entry: RingEntry): void;
  /** Everything below was read. */
  advance(topic: string, partition: number, nextOffset: number): void;
  /** Whether the socket takes more. */
  readonly hasRoom: boolean;
  /** Resolves when it does, or the client is gone. */
  room(): Promise<void>;
}

export interface CatchUpOptions {
  readonly log: Pick<LogClient, 'table'>;
  readonly admin: Pick<LogAdmin, 'startOffsets'>;
  /** Bytes that one read holds at most, about. */
  readonly bufferBytes: number;
  /** Reads at a time. */
  readonly readers: number;
  /** How long a read may take while others wait, ms. */
  readonly turnMs: number;
  readonly clock: Clock;
  readonly metrics: MetricsPort;
}

export interface CatchUp {
  /** One read; resolves when it is done, gave its place up, or the client is gone. Rejects when the log cannot be read. */
  read(client: Catcher, topics: readonly Topic[], ring: EventRing): Promise<void>;
}

interface Range {
  readonly partition: number;
  readonly to: number;
}

const lookMs = 500;

export function createCatchUp(options: CatchUpOptions): CatchUp {
  const { log, admin, clock, metrics } = options;
  const turns = createTurns(options.readers);
  const skipped = skipCounter(metrics, 'catch-up');

  return {
    async read(client, topics, ring) {
      const leave = await turns.enter(client.gone);
      if (leave === null) return;
      try {
        await readOnce(client, topics, ring);
      } finally {
        leave();
      }
    },
  };

  async function readOnce(client: Catcher, topics: readonly Topic[], ring: EventRing): Promise<void> {
    const over = new AbortController();
    const end = (): void => over.abort();
    client.gone.addEventListener('abort', end, { once: true });
    const ended = new Promise<void>((resolve) => {
      over.signal.addEventListener('abort', () => resolve(), { once: true });
    });

    /** The turn is over when the time is and somebody waits, whether or not this client takes anything. */
    async function endTurn(): Promise<void> {
      const until = clock.now() + options.turnMs;
      while (!over.signal.aborted) {
        await clock.sleep(lookMs, over.signal).catch(() => undefined);
        if (turns.waiting > 0 && clock.now() >= until) end();
      }
    }

    async function readTopic(topic: Topic): Promise<void> {
      const starts = await admin.startOffsets(topic.name);
      const ranges = behind(client, topic, ring);
      for (const { partition, to } of ranges) {
        const from = client.nextOffset(topic.id, partition);
        const start = Math.min(to, starts.get(partition) ?? 0);
        if (start > from) tell({ topic: topic.id, partition, from, to: start, reason: 'retention' });
      }
      const open = new Map(
        ranges
          .filter(({ partition, to }) => client.nextOffset(topic.id, partition) < to)
          .map(({ partition, to }) => [partition, to]),
      );
      if (open.size === 0 || over.signal.aborted) return;
      const done = Promise.withResolvers<void>();
      const table = log.table({
        topic: topic.name,
        partitions: [...open.keys()],
        from: new Map(
          [...open.keys()].map((partition) => [partition, client.nextOffset(topic.id, partition)]),
        ),
        maxBufferedBytes: options.bufferBytes,
        onFailure: done.reject,
        onBatch: async (batch) => {
          const to = open.get(batch.partition);
          if (to === undefined) return;
          await readBatch(topic, batch, to);
          if (client.nextOffset(topic.id, batch.partition) >= to) open.delete(batch.partition);
          if (open.size === 0) done.resolve();
        },
      });
      metrics.count('tocsin_stream_catch_ups_total');
      // The end of the log lies at or beyond what the live reader had read: whatever is not there by then never comes.
      const caughtUp = table.start().then(async () => {
        for (const [partition, to] of open) {
          if (over.signal.aborted) return;
          await tellGap(topic, partition, to);
          if (!over.signal.aborted) client.advance(topic.id, partition, to);
        }
      });
      // A read that ends early never starts, as far as the table is concerned.
      caughtUp.catch(() => undefined);
      try {
        await Promise.race([done.promise, caughtUp, ended]);
      } finally {
        open.clear();
        await table.stop();
      }
    }

    async function readBatch(topic: Topic, batch: RecordBatch, to: number): Promise<void> {
      const { partition, nextOffset } = batch;
      await tellGap(topic, partition, firstOffset(batch));
      const from = client.nextOffset(topic.id, partition);
      for (const entry of entriesOf(topic, batch, [from, to], skipped)) {
        if (!client.hasRoom) await Promise.race([client.room(), ended]);
        if (over.signal.aborted) return;
        client.offer(entry);
      }
      if (!over.signal.aborted) client.advance(topic.id, partition, Math.min(nextOffset, to));
    }

    async function tellGap(topic: Topic, partition: number, came: number): Promise<void> {
      const expected = client.nextOffset(topic.id, partition);
      const gap = await gapBefore(admin, topic, partition, [expected, came]);
      if (gap !== null) tell(gap);
    }

    const tell = (gap: Gap): void => {
      if (!over.signal.aborted) client.offer(gapEntry(gap));
    };

    try {
      if (client.gone.aborted) return;
      void endTurn();
      await Promise.all(topics.map(readTopic));
    } finally {
      end();
      client.gone.removeEventListener('abort', end);
    }
  }
}

/** Partitions of which the ring no longer has what the client needs next, and up to where to read. */
export function behind(
  client: Pick<Catcher, 'nextOffset'>,
  topic: Pick<Topic, 'id'>,
  ring: EventRing,
): Range[] {
  const next = ring.next(topic.id);
  return ring
    .floor(topic.id)
    .flatMap((floor, partition) =>
      client.nextOffset(topic.id, partition) < floor ? [{ partition, to: next[partition]! }] : [],
    );
}

/** At most `most` at a time, first come, first served. */
function createTurns(most: number) {
  let running = 0;
  const queue: (() => void)[] = [];
  // The place goes to the next in line directly, so that nobody overtakes.
  const leave = (): void => {
    const next = queue.shift();
    if (next === undefined) running -= 1;
    else next();
  };
  return {
    get waiting() {
      return queue.length;
    },
    /** The function that gives the place up, which whoever got it must call; null when `gone` came first. */
    async enter(gone: AbortSignal): Promise<(() => void) | null> {
      if (gone.aborted) return null;
      if (running < most) {
        running += 1;
        return leave;
      }
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const take = (): void => resolve(true);
      const giveUp = (): void => {
        const index = queue.indexOf(take);
        if (index >= 0) queue.splice(index, 1);
        resolve(false);
      };
      queue.push(take);
      gone.addEventListener('abort', giveUp, { once: true });
      const taken = await promise;
      gone.removeEventListener('abort', giveUp);
      return taken ? leave : null;
    },
  };
}
