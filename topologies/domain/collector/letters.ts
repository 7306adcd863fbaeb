// Dead letters of the collector: what did not become a command, and what is known of it.
//
// A letter about an input holds the input; a letter about a run holds what was collected. The error names the run, the rule and
// the action, so that the original records can be sent again.
import type { CollectionTemplate } from '@tocsin/schemas/types.ts';
import type { FoldEffect, FoldMoment } from '../../run/fold/fold.ts';
import { deadLetterRecord } from '../dead-letter.ts';

/** One line each, for generated pages. */
export const collectionReasons = {
  no_key: 'An input of the collector without the key of the run.',
  not_json: 'An input of the collector that is not JSON.',
  invalid_input: 'An input of the collector that does not fit collection-input.json.',
  contradicting_chunk:
    'A chunk that cannot belong to the run as its other chunks describe it; they go on without it.',
  incomplete_run: 'Chunks of a run were missing an hour after the last one came; no command was made.',
  command_too_large: 'The command over the whole run would be larger than a broker takes.',
} as const;

type LetterReason = 'contradicting_chunk' | 'incomplete_run' | 'command_too_large';

export interface CollectionLetter {
  readonly reason: LetterReason;
  readonly detail: string;
  readonly template: CollectionTemplate;
  /** JSON data. */
  readonly value: unknown;
  readonly commandId?: string | undefined;
}

/** `topic`: of the input. */
export function letterEffect(
  { reason, detail, template, value, commandId }: CollectionLetter,
  { key, partition, offset, now }: FoldMoment,
  topic: string,
): FoldEffect {
  const { source, rule, action } = template;
  const record = deadLetterRecord({
    stage: 'input',
    reason,
    error: `run ${source.id}, rule ${rule.id}, action ${action.id}: ${detail}`,
    source: { topic, partition, offset },
    service: 'collector',
    attempts: 1,
    at: now,
    key: Buffer.from(key),
    value: Buffer.from(JSON.stringify(value)),
    headers: [],
    ...(commandId === undefined ? {} : { commandId }),
  });
  return { kind: 'produce', record };
}
