// Four changes to one kafkajs cluster object, which its consumer then uses.
//
// 1. Every join first looks the coordinator up: that is where a drain can be awaited.
// 2. OFFSET_OUT_OF_RANGE makes kafkajs commit the default offset for the group; the error is taken away from it and
//    reported here instead, so that nothing is skipped in silence.
// 3. A batch that cannot be decoded fails the whole fetch without saying which partition it was; the partitions are
//    then read one by one, and the broken one is reported with the range of its batch.
// 4. Answers that hold control records only are reported, so that commits pass over them.
import type { TopicPartition, UnreadableOffsets } from '@tocsin/topologies/ports/log.ts';
import { CodecError } from '../core/codecs.ts';
import type { RawBroker, RawCluster, RawFetch, RawFetchResponse } from './library.ts';

export interface Interception {
  readonly beforeJoin: () => Promise<void>;
  readonly onCoordinator: (coordinator: RawBroker) => void;
  readonly onOutOfRange: (tp: TopicPartition) => Promise<void>;
  readonly onUnreadable: (range: UnreadableOffsets) => void;
  /** The answer for a partition held control records only: kafkajs passes over them without telling anybody. */
  readonly onControlOnly: (tp: TopicPartition, nextOffset: number) => void;
  readonly onRetry: (message: string, tp: TopicPartition) => void;
}

const UNREADABLE_TRIES = 3;

export function interceptCluster(cluster: RawCluster, interception: Interception): void {
  const findGroupCoordinator = cluster.findGroupCoordinator.bind(cluster);
  cluster.findGroupCoordinator = async (group) => {
    await interception.beforeJoin();
    const coordinator = await findGroupCoordinator(group);
    interception.onCoordinator(coordinator);
    return coordinator;
  };
  const seen = new WeakSet<RawBroker>();
  const broken = new Map<string, number>();
  const findBroker = cluster.findBroker.bind(cluster);
  cluster.findBroker = async (where) => {
    const broker = await findBroker(where);
    if (!seen.has(broker)) {
      seen.add(broker);
      const fetch = broker.fetch.bind(broker);
      broker.fetch = (request) => guardedFetch(fetch, request, broken, interception);
    }
    return broker;
  };
}

type Fetch = (request: RawFetch) => Promise<RawFetchResponse>;

async function guardedFetch(
  fetch: Fetch,
  request: RawFetch,
  broken: Map<string, number>,
  interception: Interception,
): Promise<RawFetchResponse> {
  try {
    const response = await fetch(request);
    for (const { topicName, partitions } of response.responses) {
      for (const { partition, messages } of partitions) {
        const last = messages.at(-1);
        if (last !== undefined && messages.every((message) => message.isControlRecord)) {
          interception.onControlOnly({ topic: topicName, partition }, Number(last.offset) + 1);
        }
      }
    }
    return response;
  } catch (error) {
    const { name, topic, partition } = error as { name?: string; topic?: string; partition?: number };
    if (name === 'KafkaJSOffsetOutOfRange' && topic !== undefined && partition !== undefined) {
      await interception.onOutOfRange({ topic, partition });
      return { responses: [] };
    }
    if (isDecodeError(error)) return await readOneByOne(fetch, request, broken, interception);
    throw error;
  }
}

/**
 * Reads the first batch of each partition alone (a broker never cuts that one, so one byte asks for exactly it). Those that
 * decode are answered; the others are counted and, after some tries, reported. Good batches before a broken one come first.
 */
async function readOneByOne(
  fetch: Fetch,
  request: RawFetch,
  broken: Map<string, number>,
  interception: Interception,
): Promise<RawFetchResponse> {
  const responses: RawFetchResponse['responses'] = [];
  for (const { topic, partitions } of request.topics) {
    for (const each of partitions) {
      const { partition, fetchOffset } = each;
      const ask = (offset: number): Promise<RawFetchResponse> =>
        fetch({
          ...request,
          maxWaitTime: 100,
          maxBytes: 1,
          topics: [{ topic, partitions: [{ partition, fetchOffset: String(offset), maxBytes: 1 }] }],
        });
      try {
        responses.push(...(await ask(Number(fetchOffset))).responses);
      } catch (error) {
        if (!isDecodeError(error)) throw error;
        const key = `${topic}/${partition}/${fetchOffset}`;
        const tries = (broken.get(key) ?? 0) + 1;
        broken.set(key, tries);
        const reason = error.message;
        if (tries < UNREADABLE_TRIES) {
          interception.onRetry(`cannot read offset ${fetchOffset}: ${reason}`, { topic, partition });
          continue;
        }
        broken.delete(key);
        const firstOffset = Number(fetchOffset);
        interception.onUnreadable({
          topic,
          partition,
          firstOffset,
          nextOffset: await endOfBroken(ask, firstOffset),
          reason,
        });
      }
    }
  }
  return { responses };
}

/** First offset behind the broken batch: reading anywhere inside it fails. Doubles the step, then halves the interval. */
async function endOfBroken(
  ask: (offset: number) => Promise<RawFetchResponse>,
  firstOffset: number,
): Promise<number> {
  const readable = async (offset: number): Promise<boolean> => {
    try {
      await ask(offset);
      return true;
    } catch (error) {
      // Beyond the end of the log is behind the batch, too.
      return !isDecodeError(error);
    }
  };
  let inside = firstOffset;
  let step = 1;
  while (!(await readable(inside + step))) {
    inside += step;
    step *= 2;
  }
  let outside = inside + step;
  while (outside - inside > 1) {
    const middle = Math.floor((inside + outside) / 2);
    if (await readable(middle)) outside = middle;
    else inside = middle;
  }
  return outside;
}

function isDecodeError(error: unknown): error is Error {
  for (let current: unknown = error, depth = 0; current && depth < 5; depth++) {
    if (current instanceof CodecError) return true;
    const { cause, originalError } = current as { cause?: unknown; originalError?: unknown };
    current = cause ?? originalError;
  }
  return false;
}
