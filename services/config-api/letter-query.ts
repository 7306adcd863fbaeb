// The search of dead letters as it comes in a query string or a body, and as the store takes it.
import type { LetterFilter } from '@tocsin/adapters/postgres/dead-letter-search.ts';
import { timeOf } from './run-query.ts';

const text = { type: 'string', minLength: 1, maxLength: 256 } as const;
const time = { type: 'string', minLength: 4, maxLength: 40, description: 'RFC 3339.' } as const;

export const letterQuery = {
  state: { enum: ['open', 'queued', 'redriven', 'purged'] },
  reason: { ...text, description: 'Reason or failure code.' },
  stage: { ...text, description: 'input, command or sink.' },
  service: { ...text, description: 'Who gave up: evaluator, actions/<type>, sinks/<id>.' },
  source: { ...text, description: 'Topic that the record came from.' },
  type: { ...text, description: 'Action type of a command.' },
  action: text,
  rule: text,
  playbook: text,
  run: { ...text, description: 'Key of a run.' },
  connection: { ...text, description: 'Destination of a command.' },
  command: { ...text, description: 'Id of a command.' },
  tenant: text,
  job: { ...text, description: 'Of the request that queued it last.' },
  after: time,
  before: time,
  q: { ...text, minLength: 2, description: 'Part of error, key, part, command or id.' },
} as const;

export type LetterQuery = { readonly [name in keyof typeof letterQuery]?: string };

/** Throws 400 naming the field. */
export function letterFilterOf({ after, before, ...same }: LetterQuery): LetterFilter {
  return { ...same, ...timeOf('after', after), ...timeOf('before', before) } as LetterFilter;
}
