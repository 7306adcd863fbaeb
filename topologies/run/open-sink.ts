// One configured sink made runnable: its type, checked parameters, connection with resolved secrets, and a consumer group of
// its own, so that a dead receiver only grows its own lag.
import type { Connection, SinkConfig } from '@tocsin/schemas/types.ts';
import { batchLimits } from '../domain/sink/batch.ts';
import { SinkConfigError, type SinkPorts } from '../domain/sink/define-sink.ts';
import { compileBytesFilter, filterWarnings } from '../domain/sink/filter.ts';
import { sinkGroup } from '../groups.ts';
import type { Clock, Random } from '../ports/clock.ts';
import type { LogClient, LogConsumer } from '../ports/log.ts';
import type { Logger } from '../ports/logger.ts';
import type { MetricsPort } from '../ports/metrics.ts';
import type { SecretsPort } from '../ports/secrets.ts';
import { sinkTopicIds, topicNameOf } from '../topics.ts';
import { compileSink } from './compile-sink.ts';
import { createSinkRunner } from './sink.ts';
import type { DecodeValue } from './sink-fill.ts';
import type { LetterBox } from './sink-letters.ts';
import { createSinkNews } from './sink-news.ts';
import { startSince } from './sink-start.ts';

export interface SinkResources {
  readonly client: LogClient;
  readonly ports: Partial<SinkPorts>;
  /** Name of this machine, for receivers that want to know where events come from. */
  readonly hostName: string;
  readonly secrets: SecretsPort;
  readonly letters: LetterBox;
  /** Takes what sinks tell of their deliveries and states; nothing is told without it. */
  readonly news?: LetterBox;
  readonly decode: DecodeValue;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: MetricsPort;
  readonly logger: Logger;
  /** Read instead of the topics of the document, in a group of this name: a cluster that is not laid out as ours. */
  readonly place?: { readonly group: string; readonly topics: readonly string[] };
  /** Topic names by their id in the topology; the defaults without it. */
  readonly topicName?: (id: string) => string;
}

/** Fetched and not yet framed, over all partitions of a sink, bytes: a second of traffic, and a bound on memory. */
export const sinkBufferBytes = 8 * 1024 * 1024;

export interface RunningSink {
  stop(): Promise<void>;
}

/** Starts the sink. Rejects with SinkConfigError when its documents cannot be used. */
export async function openSink(
  document: SinkConfig,
  connection: Connection | undefined,
  resources: SinkResources,
  onFailure: (error: Error) => void,
): Promise<RunningSink> {
  const { client, metrics } = resources;
  const logger = resources.logger.child({ sink: document.id });
  const { type, wire } = await compileSink(document, connection, resources.secrets, {
    name: resources.hostName,
    onCut: () => metrics.count('tocsin_sink_events_total', { sink: document.id, outcome: 'cut' }),
  });
  for (const warning of filterWarnings(document.filters)) logger.warn(warning);

  const limits = batchLimits(document.batch, type.manifest.batch);
  const ended = new AbortController();
  const news =
    resources.news === undefined
      ? null
      : createSinkNews({
          sink: document.id,
          box: resources.news,
          clock: resources.clock,
          logger,
          signal: ended.signal,
        });
  const runner = createSinkRunner({
    id: document.id,
    wire,
    limits:
      wire.mostEvents === undefined
        ? limits
        : { ...limits, maxEvents: Math.min(limits.maxEvents, wire.mostEvents) },
    filter: compileBytesFilter(document.filters),
    decode: resources.decode,
    ports: resources.ports,
    letters: resources.letters,
    clock: resources.clock,
    random: resources.random,
    metrics,
    logger,
    reread: (tp, offset) => consumer.seek(tp, offset),
    ...(news === null ? {} : { onDelivery: news.delivery, onState: news.state }),
  });
  const group = resources.place?.group ?? sinkGroup(document.id).id;
  const startAt = startSince(client, group, document.since);
  const consumer: LogConsumer = client.consumer({
    group,
    topics: resources.place?.topics ?? sinkTopicIds(document).map(resources.topicName ?? knownTopicName),
    handler: startAt === null ? runner.handler : { ...runner.handler, startAt },
    maxBufferedBytes: sinkBufferBytes,
    onFailure,
    onNotice(notice) {
      metrics.count('tocsin_consumer_notices_total', { service: 'sinks', kind: notice.kind });
      logger.info(notice.message, { kind: notice.kind });
    },
  });
  metrics.gauge('tocsin_sink_paused', 0, { sink: document.id });
  const stop = async (): Promise<void> => {
    ended.abort();
    await consumer.stop();
    await runner.stop();
  };
  try {
    await consumer.start();
  } catch (error) {
    await stop();
    throw error;
  }
  return { stop };
}

function knownTopicName(id: string): string {
  const name = topicNameOf(id);
  if (name === null) throw new SinkConfigError(`unknown topic ${id}`);
  return name;
}
