// Runs the collector: chunks of runs in, commands with their events and dead letters out.
import type { CollectionInput } from '@tocsin/schemas/types.ts';
import { createCollectorFold } from '../domain/collector/collector-fold.ts';
import type { CollectionState } from '../domain/collector/state.ts';
import type { CollectorStep } from '../domain/collector/step.ts';
import { collectorFlow } from '../flows/collector.ts';
import type { BatchHandler } from '../ports/log.ts';
import { topics } from '../topics.ts';
import { maxCommandBytes } from './decide-records.ts';
import type { Applied } from './fold/apply-inputs.ts';
import { createFoldRunner, type FoldRunnerOptions } from './fold/fold-runner.ts';

/** A state may have a megabyte: so many at most in one script of the store. */
const maxInputs = 16;

export type CollectorOptions = Omit<
  FoldRunnerOptions<CollectionState, CollectionInput>,
  'fold' | 'service' | 'maxInputs' | 'onApplied'
>;

export function createCollector(options: CollectorOptions): BatchHandler {
  const { metrics } = options;
  const { service } = collectorFlow;

  function count({
    effects,
    changes,
  }: Pick<Applied<CollectionState, CollectionInput>, 'effects' | 'changes'>) {
    // Without an outcome a step has failed: it is counted as a dead letter by the runner.
    for (const { changes: what } of changes)
      if (what !== undefined)
        metrics.count('tocsin_collection_inputs_total', { ...(what as CollectorStep['changes']) });
    for (const { effect } of effects) {
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
    fold: createCollectorFold({
      input: topics.collections,
      changelog: topics.collectionChanges,
      maxCommandBytes,
    }),
    service,
    maxInputs,
    onApplied: count,
  });
}
