// The newest events of all topics, once for all clients, bounded in bytes; a client is a place in it.
//
// Invariant: for every partition the ring holds each event in [floor, next), in offset order. What has left it lies below `floor`.
// Surprise: one huge event may be all that it holds, so that it is always delivered to whoever keeps up.
import type { Gap } from '../../domain/stream/frame.ts';
import type { EventFacts, StreamEvent } from '../../domain/stream/stream-event.ts';

export interface RingEntry extends TopicPlace {
  readonly content: StreamEvent | Gap;
}

interface TopicPlace {
  /** Topic id. */
  readonly topic: string;
  readonly partition: number;
  /** Of a gap: the last offset in it. */
  readonly offset: number;
}

export interface EventRing {
  /** Number of the oldest entry, and the one that the next entry gets. Numbers only grow. */
  readonly first: number;
  readonly end: number;
  readonly bytes: number;
  at(number: number): RingEntry;
  append(entry: RingEntry): void;
  /** Everything below `nextOffset` was read. */
  advance(topic: string, partition: number, nextOffset: number): void;
  floor(topic: string): readonly number[];
  next(topic: string): readonly number[];
}

/** What an entry costs beside its lines. */
const entryBytes = 400;
const textBytes = 32;

/** `starts`: where each partition begins to be read, by topic id. */
export function createEventRing(maxBytes: number, starts: ReadonlyMap<string, readonly number[]>): EventRing {
  const floors = new Map([...starts].map(([topic, offsets]) => [topic, [...offsets]]));
  const nexts = new Map([...starts].map(([topic, offsets]) => [topic, [...offsets]]));
  let entries: (RingEntry | undefined)[] = [];
  /** Index in `entries` of the oldest, and its number. */
  let head = 0;
  let first = 0;
  let bytes = 0;

  const offsetsOf = (of: ReadonlyMap<string, number[]>, topic: string, partition: number): number[] => {
    const offsets = of.get(topic);
    if (offsets === undefined) throw new RangeError(`${topic} is no topic of the ring`);
    // Partitions that came later are read from their beginning.
    while (offsets.length <= partition) offsets.push(0);
    return offsets;
  };
  const raise = (of: ReadonlyMap<string, number[]>, entry: Omit<TopicPlace, 'offset'>, to: number): void => {
    const offsets = offsetsOf(of, entry.topic, entry.partition);
    offsets[entry.partition] = Math.max(offsets[entry.partition]!, to);
  };

  function dropOldest(): void {
    const entry = entries[head]!;
    entries[head] = undefined;
    head += 1;
    first += 1;
    bytes -= sizeOf(entry);
    raise(floors, entry, entry.offset + 1);
    if (head > 1_024 && head * 2 > entries.length) {
      entries = entries.slice(head);
      head = 0;
    }
  }

  return {
    get first() {
      return first;
    },
    get end() {
      return first + entries.length - head;
    },
    get bytes() {
      return bytes;
    },
    at: (number) => entries[head + number - first]!,
    append(entry) {
      entries.push(entry);
      bytes += sizeOf(entry);
      raise(nexts, entry, entry.offset + 1);
      while (bytes > maxBytes && entries.length - head > 1) dropOldest();
    },
    advance: (topic, partition, nextOffset) => raise(nexts, { topic, partition }, nextOffset),
    floor: (topic) => floors.get(topic) ?? [],
    next: (topic) => nexts.get(topic) ?? [],
  };
}

export const isGap = (content: StreamEvent | Gap): content is Gap => 'reason' in content;

/** Bytes that an entry takes, about. */
export function sizeOf({ content }: RingEntry): number {
  return isGap(content) ? entryBytes : entryBytes + content.lines.length + factBytes(content.facts);
}

function factBytes({ event, data: { severity = '', category = '', asset } }: EventFacts): number {
  const texts = [event, severity, category, asset.id ?? '', ...asset.tags];
  return texts.reduce((sum, text) => sum + textBytes + 2 * text.length, 0);
}
