// The collector as a fold: chunks of runs by run, rule and action.
import { parseJson } from '@tocsin/schemas/codecs/json.ts';
import { checkDocument, formatIssues } from '@tocsin/schemas/codecs/validate.ts';
import type { CollectionInput } from '@tocsin/schemas/types.ts';
import type { Fold, FoldRead } from '../../run/fold/fold.ts';
import type { Topic } from '../../topics.ts';
import type { collectionReasons } from './letters.ts';
import type { CollectionState } from './state.ts';
import { type CollectorStep, collect } from './step.ts';

const refuse = (reason: keyof typeof collectionReasons, detail: string): FoldRead<CollectionInput> => ({
  refuse: reason,
  detail,
});

/** One record of the topic of inputs. Never throws. */
export function readCollectionInput(key: Buffer | null, value: Buffer | null): FoldRead<CollectionInput> {
  if (key === null || key.length === 0 || key.length > 256)
    return refuse('no_key', 'the key names run, rule and action');
  if (value === null) return refuse('not_json', 'no value');
  // Rows lie no deeper than in the search result; the template is as deep as the action.
  const parsed = parseJson(value, { maxDepth: 128, maxKeys: 100_000 });
  if (!parsed.ok) return refuse('not_json', `${parsed.reason} ${parsed.detail}`);
  const issues = checkDocument('collection-input.json', parsed.value);
  if (issues.length > 0) return refuse('invalid_input', formatIssues(issues).slice(0, 1024));
  return { key: key.toString(), input: parsed.value as unknown as CollectionInput };
}

export interface CollectorFold extends Fold<CollectionState, CollectionInput> {
  step(...given: Parameters<Fold<CollectionState, CollectionInput>['step']>): CollectorStep;
}

/** `input` and `changelog` have the same partitions. */
export function createCollectorFold(options: {
  readonly input: Topic;
  readonly changelog: Topic;
  readonly maxCommandBytes: number;
}): CollectorFold {
  const { input, changelog, maxCommandBytes } = options;
  return {
    id: 'collections',
    input,
    changelog,
    read: (batch, index) => readCollectionInput(batch.key(index), batch.value(index)),
    step: (state, given, moment) => collect(state, given, moment, { topic: input.name, maxCommandBytes }),
    // The input is a dead letter; the run goes on without it.
    fault: (state) => ({
      state,
      ...(state?.status === 'ended' ? { keepUntil: state.until } : {}),
      effects: [],
    }),
  };
}
