// One configured sink made runnable: its type, checked parameters, connection with resolved secrets, and a consumer group of
// its own, so that a dead receiver only grows its own lag.
import { compileCheck, formatIssues } from '@tocsin/schemas/codecs/validate.ts';
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
import { findSink } from '../sinks/registry.ts';
import { topics } from '../topics.ts';
import { resolveConnection } from './connections.ts';
import { createSinkRunner } from './sink.ts';
import type { DecodeValue } from './sink-fill.ts';
import type { LetterBox } from './sink-letters.ts';

export interface SinkResources {
  readonly client: LogClient;
  readonly ports: Partial<SinkPorts>;
  /** Name of this machine, for receivers that want to know where events come from. */
  readonly hostName: string;
  readonly secrets: SecretsPort;
  readonly letters: LetterBox;
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
  const type = findSink(document.type);
  if (type === undefined) throw new SinkConfigError(`unknown sink type ${document.type}`);
  const issues = compileCheck(type.manifest.params)(document.params);
  if (issues.length === 0) issues.push(...type.check(document.params));
  if (issues.length > 0) throw new SinkConfigError(`params: ${formatIssues(issues)}`);
  if (connection === undefined || connection.enabled === false)
    throw new SinkConfigError(
      `connection ${document.connection} ${connection === undefined ? 'does not exist' : 'is disabled'}`,
    );
  const resolved = await resolveConnection(connection, resources.secrets);
  if ('status' in resolved) throw new SinkConfigError(resolved.detail);
  for (const warning of filterWarnings(document.filters)) logger.warn(warning);

  const runner = createSinkRunner({
    id: document.id,
    wire: type.open(document.params, resolved, {
      name: resources.hostName,
      onCut: () => metrics.count('tocsin_sink_events_total', { sink: document.id, outcome: 'cut' }),
    }),
    limits: batchLimits(document.batch, type.manifest.batch),
    filter: compileBytesFilter(document.filters),
    decode: resources.decode,
    ports: resources.ports,
    letters: resources.letters,
    clock: resources.clock,
    random: resources.random,
    metrics,
    logger,
    reread: (tp, offset) => consumer.seek(tp, offset),
  });
  const consumer: LogConsumer = client.consumer({
    group: resources.place?.group ?? sinkGroup(document.id).id,
    topics:
      resources.place?.topics ??
      (document.topics ?? ['findings']).map(resources.topicName ?? defaultTopicName),
    handler: runner.handler,
    maxBufferedBytes: sinkBufferBytes,
    onFailure,
    onNotice(notice) {
      metrics.count('tocsin_consumer_notices_total', { service: 'sinks', kind: notice.kind });
      logger.info(notice.message, { kind: notice.kind });
    },
  });
  metrics.gauge('tocsin_sink_paused', 0, { sink: document.id });
  const stop = async (): Promise<void> => {
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

function defaultTopicName(id: string): string {
  const found = Object.values(topics).find((topic) => topic.id === id);
  if (found === undefined) throw new SinkConfigError(`unknown topic ${id}`);
  return found.name;
}
