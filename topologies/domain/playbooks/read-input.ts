// One record of a topic of inputs: its key, and its value as JSON that fits the schema.
import { parseJson } from '@tocsin/schemas/codecs/json.ts';
import { checkDocument, formatIssues } from '@tocsin/schemas/codecs/validate.ts';
import type { FoldRead } from '../../run/fold/fold.ts';

/** Why a record of a topic of inputs is none; one line each, for generated pages. */
export const foldInputReasons = {
  no_key: 'An input without the key of what it is for.',
  not_json: 'An input that is not JSON, or too large.',
  invalid_input: 'An input that does not fit its schema: run-input.json or correlation-input.json.',
} as const;

/** Reads one record. Never throws. */
export function readFoldInput<Input>(
  schema: 'run-input.json' | 'correlation-input.json',
  key: Buffer | null,
  value: Buffer | null,
  maxBytes: number,
): FoldRead<Input> {
  if (key === null || key.length === 0 || key.length > 256)
    return { refuse: 'no_key', detail: 'the key says what the input is for, in at most 256 bytes' };
  if (value === null || value.length > maxBytes)
    return { refuse: 'not_json', detail: value === null ? 'no value' : `more than ${maxBytes} bytes` };
  const parsed = parseJson(value, { maxDepth: 128, maxKeys: 100_000 });
  if (!parsed.ok) return { refuse: 'not_json', detail: `${parsed.reason} ${parsed.detail}` };
  const issues = checkDocument(schema, parsed.value);
  if (issues.length > 0) return { refuse: 'invalid_input', detail: formatIssues(issues).slice(0, 1024) };
  return { key: key.toString(), input: parsed.value as unknown as Input };
}
