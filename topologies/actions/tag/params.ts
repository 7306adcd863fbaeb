// Parameters of the tag action as a type, what a tag is, and the checks that its JSON Schema cannot express.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import { type AskParams, checkAsk } from '../../domain/action/ask/params.ts';
import type { Json } from '../../domain/action/outcome.ts';
import { checkJsonTemplate } from '../../domain/templates/json-template.ts';

export interface TagParams extends AskParams {
  readonly asset: Json;
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
}

// What ends in a separator, such as `severity:`, has lost its value.
const format = /^[\p{L}\p{N}_](?:[\p{L}\p{M}\p{N}_.:/=@+-]*[\p{L}\p{M}\p{N}_+])?$/u;

/** The tag in Unicode form C, trimmed; null when it is none. A number or a boolean is its text. */
export function tagOf(value: unknown): string | null {
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return null;
  const tag = String(value).trim().normalize('NFC');
  // Lone surrogates have no letters, so that the format leaves them out.
  return tag.length <= 64 && format.test(tag) ? tag : null;
}

/** What tags are compared by: two spellings of one tag have the same. */
export function foldOf(tag: string): string {
  return tag.normalize('NFKC').toLowerCase();
}

/** Issues of schema-valid parameters. */
export function checkTag(params: TagParams): Issue[] {
  const { add, remove } = params;
  return [
    ...(add === undefined && remove === undefined ? [{ path: '', message: 'needs add or remove' }] : []),
    ...checkAsk(params, { httpOnly: ['method'] }),
    ...checkJsonTemplate(params.asset, '/asset'),
    ...(['add', 'remove'] as const).flatMap((name) =>
      (params[name] ?? []).flatMap((tag, index) => {
        const path = `/${name}/${index}`;
        const issues = checkJsonTemplate(tag, path);
        if (issues.length > 0 || tag.includes('{{') || tagOf(tag) !== null) return issues;
        return [{ path, message: 'is no tag' }];
      }),
    ),
  ];
}
