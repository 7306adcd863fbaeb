// Playbook runs as a fold: reads inputs, and lends the state machine to whoever runs folds.
import type { RunInput } from '@tocsin/schemas/types.ts';
import type { RecordBatch } from '../../ports/log.ts';
import type { Fold, FoldRead } from '../../run/fold/fold.ts';
import type { Topic } from '../../topics.ts';
import type { CommandTypes } from '../action/define-action.ts';
import { decideRun } from './decide.ts';
import { faultRun } from './fault.ts';
import type { RunState } from './machine/state.ts';
import type { Definitions } from './program.ts';
import { readFoldInput } from './read-input.ts';

/** Largest value, bytes. */
const maxBytes = 1024 * 1024;

/** One record of the topic of inputs. Never throws. */
export function readRunInput(key: Buffer | null, value: Buffer | null): FoldRead<RunInput> {
  return readFoldInput<RunInput>('run-input.json', key, value, maxBytes);
}

/** `input` and `changelog` have the same partitions. */
export function createRunFold(options: {
  readonly definitions: Definitions;
  readonly input: Topic;
  readonly changelog: Topic;
  /** Types that commands may have; all without it. */
  readonly commandTypes?: CommandTypes;
}): Fold<RunState, RunInput> {
  const { definitions, commandTypes } = options;
  const decide = {
    definitions,
    runsTopic: options.input.name,
    ...(commandTypes === undefined ? {} : { commandTypes }),
  };
  return {
    id: 'runs',
    input: options.input,
    changelog: options.changelog,
    read: (batch: RecordBatch, index) => readRunInput(batch.key(index), batch.value(index)),
    step: (state, input, moment) => decideRun(state, input, moment, decide),
    fault: (state, input, moment, error) => faultRun(state, input, moment, error, options.input.name),
  };
}
