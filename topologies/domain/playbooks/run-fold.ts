// Playbook runs as a fold: reads inputs, and lends the state machine to whoever runs folds.
import { parseJson } from '@tocsin/schemas/codecs/json.ts';
import { checkDocument, formatIssues } from '@tocsin/schemas/codecs/validate.ts';
import type { RunInput } from '@tocsin/schemas/types.ts';
import type { RecordBatch } from '../../ports/log.ts';
import type { Fold, FoldRead } from '../../run/fold/fold.ts';
import type { Topic } from '../../topics.ts';
import { decideRun, faultRun } from './decide.ts';
import type { RunState } from './machine/state.ts';
import type { Definitions } from './program.ts';

/** Why a record of the topic of inputs is none; one line each, for generated pages. */
export const runInputReasons = {
  no_key: 'An input of a run without the key of the run.',
  not_json: 'An input of a run that is not JSON.',
  invalid_input: 'An input of a run that does not fit run-input.json.',
} as const;

const maxBytes = 1024 * 1024;

/** One record of the topic of inputs. Never throws. */
export function readRunInput(key: Buffer | null, value: Buffer | null): FoldRead<RunInput> {
  if (key === null || key.length === 0 || key.length > 256)
    return { refuse: 'no_key', detail: 'the key names the run' };
  if (value === null || value.length > maxBytes)
    return { refuse: 'not_json', detail: value === null ? 'no value' : `more than ${maxBytes} bytes` };
  const parsed = parseJson(value, { maxDepth: 128, maxKeys: 100_000 });
  if (!parsed.ok) return { refuse: 'not_json', detail: `${parsed.reason} ${parsed.detail}` };
  const issues = checkDocument('run-input.json', parsed.value);
  if (issues.length > 0) return { refuse: 'invalid_input', detail: formatIssues(issues).slice(0, 1024) };
  return { key: key.toString(), input: parsed.value as unknown as RunInput };
}

/** `input` and `changelog` have the same partitions. */
export function createRunFold(options: {
  readonly definitions: Definitions;
  readonly input: Topic;
  readonly changelog: Topic;
}): Fold<RunState, RunInput> {
  const decide = { definitions: options.definitions, runsTopic: options.input.name };
  return {
    id: 'runs',
    input: options.input,
    changelog: options.changelog,
    read: (batch: RecordBatch, index) => readRunInput(batch.key(index), batch.value(index)),
    step: (state, input, moment) => decideRun(state, input, moment, decide),
    fault: (state, input, moment, error) => faultRun(state, input, moment, error),
  };
}
