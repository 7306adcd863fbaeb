// The engine of playbook runs on real servers, wired as a service has it, for benchmarks and fault runs.
//
// Invariant: nothing here decides; what is measured or broken is the fold, its timers and their adapters.
import { randomUUID } from 'node:crypto';
import { systemClock } from '@tocsin/adapters/clock/system.ts';
import { createRedisFoldStore } from '@tocsin/adapters/fold/redis.ts';
import type { Redis } from '@tocsin/adapters/redis/connect.ts';
import type { Definitions } from '@tocsin/topologies/domain/playbooks/program.ts';
import { createRunFold } from '@tocsin/topologies/domain/playbooks/run-fold.ts';
import { groups } from '@tocsin/topologies/groups.ts';
import type { Clock } from '@tocsin/topologies/ports/clock.ts';
import type { FoldStore } from '@tocsin/topologies/ports/fold-store.ts';
import type { BatchHandler, LogClient, LogConsumer, LogProducer } from '@tocsin/topologies/ports/log.ts';
import type { Logger } from '@tocsin/topologies/ports/logger.ts';
import type { MetricsPort } from '@tocsin/topologies/ports/metrics.ts';
import { createFoldRunner } from '@tocsin/topologies/run/fold/fold-runner.ts';
import { createTimers } from '@tocsin/topologies/run/fold/timers.ts';
import { createOutbox } from '@tocsin/topologies/run/outbox.ts';
import { topics } from '@tocsin/topologies/topics.ts';

/** What the engine reads and writes beside the topics of commands. */
export const engineTopics = {
  runs: topics.runs,
  runEvents: topics.runEvents,
  timers: topics.timers,
  correlations: topics.correlations,
  events: topics.events,
  deadLetters: topics.deadLetters,
} as const;

export interface PlaybookEngineOptions {
  readonly client: LogClient;
  readonly redis: Redis;
  readonly definitions: Definitions;
  /** Default: the clock of the machine. */
  readonly clock?: Clock;
  readonly metrics: MetricsPort;
  readonly logger: Logger;
  /** The engine cannot go on. */
  readonly onFailure: (error: Error) => void;
  /** Puts something between the engine and its store, its log or its inputs. */
  readonly wrap?: {
    readonly store?: (store: FoldStore) => FoldStore;
    readonly producer?: (producer: LogProducer) => LogProducer;
    readonly handler?: (handler: BatchHandler) => BatchHandler;
  };
}

export interface PlaybookEngine {
  /** Resolves when this many partitions can be read: claimed, rebuilt where necessary, with their timers. */
  ready(partitions: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startPlaybookEngine(options: PlaybookEngineOptions): Promise<PlaybookEngine> {
  const { client, redis, clock = systemClock, metrics, logger, onFailure, wrap = {} } = options;
  const { runs, runEvents, timers } = engineTopics;
  const stopping = new AbortController();
  const ownProducer = client.producer();
  const producer = wrap.producer?.(ownProducer) ?? ownProducer;
  const ownStore = createRedisFoldStore(redis);
  const outbox = createOutbox({ producer, clock, logger });
  const common = {
    service: 'playbooks',
    client,
    outbox,
    clock,
    metrics,
    logger,
    signal: stopping.signal,
  };
  const handler = createFoldRunner({
    ...common,
    fold: createRunFold({ definitions: options.definitions, input: runs, changelog: runEvents }),
    consumer: () => consumer,
    store: wrap.store?.(ownStore) ?? ownStore,
    timers: createTimers({ ...common, input: runs.name, topic: timers.name, onFailure }),
    newToken: randomUUID,
  });
  let assigned = 0;
  let check: () => void = () => undefined;
  const counting: BatchHandler = {
    ...handler,
    async startAt(assignment) {
      const at = (await handler.startAt?.(assignment)) ?? null;
      assigned += 1;
      check();
      return at;
    },
  };
  const consumer: LogConsumer = client.consumer({
    group: groups.runs.id,
    topics: [runs.name],
    handler: wrap.handler?.(counting) ?? counting,
    onFailure,
    onNotice: (notice) => logger.info(notice.message, { kind: notice.kind }),
  });
  await consumer.start();
  return {
    ready: (partitions) =>
      new Promise((resolve) => {
        check = () => {
          if (assigned >= partitions) resolve();
        };
        check();
      }),
    async stop() {
      await consumer.stop();
      stopping.abort(new Error('stop'));
      outbox.stop();
      await producer.close();
    },
  };
}
