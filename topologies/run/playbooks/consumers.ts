// The two folds of playbooks at work: runs, and the correlator that brings events to them. One outbox for both.
//
// Invariant: records of one partition keep their order, which the timers need: nothing but the given outbox writes for these folds.
import type { RunInput } from '@tocsin/schemas/types.ts';
import { manifests } from '../../actions/registry.ts';
import { createCorrelationFold } from '../../domain/playbooks/correlator/correlation-fold.ts';
import { isOver, type RunState } from '../../domain/playbooks/machine/state.ts';
import { createRunFold } from '../../domain/playbooks/run-fold.ts';
import type { FoldFlow } from '../../flows/flow.ts';
import { correlationsFlow, runsFlow } from '../../flows/playbooks.ts';
import type { Clock } from '../../ports/clock.ts';
import type { FoldStore } from '../../ports/fold-store.ts';
import type { ConsumerNotice, LogClient, LogConsumer } from '../../ports/log.ts';
import type { Logger } from '../../ports/logger.ts';
import type { MetricsPort } from '../../ports/metrics.ts';
import { topics } from '../../topics.ts';
import type { Fold } from '../fold/fold.ts';
import { createFoldRunner } from '../fold/fold-runner.ts';
import { sweepRegularly } from '../fold/sweep.ts';
import { createTimers } from '../fold/timers.ts';
import type { Outbox } from '../outbox.ts';
import { createAwaitVersions, type KnownVersions, type WantedVersion } from './await-versions.ts';
import { createLiveGauges } from './live-gauges.ts';

export interface PlaybookConsumersOptions {
  readonly client: LogClient;
  readonly store: FoldStore;
  readonly outbox: Outbox;
  readonly versions: KnownVersions;
  readonly clock: Clock;
  /** A new random token for each claim of a partition. */
  readonly newToken: () => string;
  readonly metrics: MetricsPort;
  readonly logger: Logger;
  /** Aborted when the service stops. */
  readonly signal: AbortSignal;
  readonly onFailure: (error: Error) => void;
  /** Longest sleep of the timers, ms; default 1,000. Longer for clocks that nobody sets. */
  readonly maxSleepMs?: number;
  readonly onNotice?: (flow: FoldFlow, notice: ConsumerNotice) => void;
}

export interface PlaybookConsumers {
  readonly runs: LogConsumer;
  readonly correlations: LogConsumer;
}

/** Nothing is read before their `start`. */
export function createPlaybookConsumers(options: PlaybookConsumersOptions): PlaybookConsumers {
  const { clock, metrics, logger, signal } = options;
  const runFold = createRunFold({
    definitions: options.versions.definitions,
    input: topics.runs,
    changelog: topics.runEvents,
    commandTypes: manifests,
  });
  const awaitVersions = createAwaitVersions({ versions: options.versions, clock, logger });
  const runs = consumerOf(options, runsFlow, {
    ...runFold,
    prepare: (inputs, gone) => awaitVersions(inputs.flatMap(wantedBy), gone),
  });
  const correlations = consumerOf(
    options,
    correlationsFlow,
    createCorrelationFold({
      input: topics.correlations,
      changelog: topics.correlationChanges,
      runs: topics.runs,
    }),
  );
  void sweepRegularly({
    fold: runFold.id,
    store: options.store,
    partitions: () => runs.assignments().map(({ partition }) => partition),
    clock,
    logger,
    signal,
    report: createLiveGauges(metrics),
  });
  return { runs, correlations };
}

/** The version that the step of an input will ask for. */
function wantedBy({ state, input }: { state: RunState | null; input: RunInput }): WantedVersion[] {
  if (input.kind === 'start') return [{ playbook: input.playbook, revision: input.revision }];
  if (state === null || isOver(state.status)) return [];
  return [{ playbook: state.playbook, revision: state.revision }];
}

function consumerOf<State, Input>(
  options: PlaybookConsumersOptions,
  flow: FoldFlow,
  fold: Fold<State, Input>,
): LogConsumer {
  const { client, store, outbox, clock, newToken, metrics, signal, onFailure, onNotice } = options;
  const { service } = flow;
  const logger = options.logger.child({ fold: fold.id });
  const sleep = options.maxSleepMs === undefined ? {} : { maxSleepMs: options.maxSleepMs };
  const common = { service, client, outbox, clock, metrics, logger, signal };
  const consumer: LogConsumer = client.consumer({
    group: flow.group?.id ?? '',
    topics: flow.reads.map((topic) => topic.name),
    handler: createFoldRunner({
      ...common,
      fold,
      consumer: () => consumer,
      store,
      timers: flow.writes.includes(topics.timers)
        ? createTimers({ ...common, input: fold.input.name, onFailure, ...sleep })
        : null,
      newToken,
    }),
    onFailure,
    onNotice: (notice) => onNotice?.(flow, notice),
  });
  return consumer;
}
