// Runs the collector: chunks of runs in, commands with their events and dead letters out.
import type { CollectionInput } from '@tocsin/schemas/types.ts';
import { createCollectorFold } from '../domain/collector/collector-fold.ts';
import type { CollectionState } from '../domain/collector/state.ts';
import type { CollectorStep } from '../domain/collector/step.ts';
import { maxCollectedBytes } from '../domain/evaluate/collect.ts';
import { collectorFlow } from '../flows/collector.ts';
import type { BatchHandler } from '../ports/log.ts';
import { topics } from '../topics.ts';
import { createFoldRunner, type FoldRunnerOptions } from './fold/fold-runner.ts';

/** A state may have a megabyte: so many at most in one script of the store. */
const maxInputs = 16;

export type CollectorOptions = Omit<
  FoldRunnerOptions<CollectionState, CollectionInput>,
  'fold' | 'service' | 'maxInputs'
>;

/** What is counted is what steps call for: a step that is repeated after a crash counts again. */
export function createCollector(options: CollectorOptions): BatchHandler {
  const { metrics } = options;
  const { service } = collectorFlow;
  const fold = createCollectorFold({
    input: topics.collections,
    changelog: topics.collectionChanges,
    maxCommandBytes: maxCollectedBytes,
  });

  function count({ changes, effects }: CollectorStep): void {
    metrics.count('tocsin_collection_inputs_total', { outcome: changes.outcome });
    for (const effect of effects) {
      if (effect.kind !== 'produce') continue;
      const { topic, headers } = effect.record;
      const type = /^commands\.(.+)\.v1$/.exec(topic)?.[1];
      if (type !== undefined) metrics.count('tocsin_commands_total', { type });
      if (topic !== topics.deadLetters.name) continue;
      const reason = headers?.find(([name]) => name === 'x-dlq-reason')?.[1];
      metrics.count('tocsin_dead_letters_total', { service, reason: String(reason) });
    }
  }

  return createFoldRunner({
    ...options,
    fold: {
      ...fold,
      step(state, input, moment) {
        const step = fold.step(state, input, moment);
        count(step);
        return step;
      },
    },
    service,
    maxInputs,
  });
}
