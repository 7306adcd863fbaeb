// The correlator as a fold: reads inputs, and lends its decisions to whoever runs folds.
import type { CorrelationInput } from '@tocsin/schemas/types.ts';
import type { RecordBatch } from '../../../ports/log.ts';
import type { Fold, FoldRead } from '../../../run/fold/fold.ts';
import type { Topic } from '../../../topics.ts';
import { readFoldInput } from '../read-input.ts';
import { correlate, faultCorrelation } from './correlate.ts';
import type { CorrelatorState } from './state.ts';

/** Largest value, bytes: with the key of a run around it the event still fits into an input of that run. */
const maxBytes = 1024 * 1024 - 8 * 1024;

/** One record of the topic of inputs. Never throws. */
export function readCorrelationInput(key: Buffer | null, value: Buffer | null): FoldRead<CorrelationInput> {
  return readFoldInput<CorrelationInput>('correlation-input.json', key, value, maxBytes);
}

/** `input` and `changelog` have the same partitions. */
export function createCorrelationFold(options: {
  readonly input: Topic;
  readonly changelog: Topic;
  /** Topic of the inputs of runs. */
  readonly runs: Topic;
}): Fold<CorrelatorState, CorrelationInput> {
  return {
    id: 'correlations',
    input: options.input,
    changelog: options.changelog,
    read: (batch: RecordBatch, index) => readCorrelationInput(batch.key(index), batch.value(index)),
    step: (state, input, moment) => correlate(state, input, moment, options.runs.name),
    fault: (state, input, _moment, error) => faultCorrelation(state, input, error),
  };
}
