// Parameters that ticket actions share, and which of them an operation needs or cannot use.
import type { Issue, JsonSchema } from '@tocsin/schemas/codecs/validate.ts';
import { checkTemplate } from '../../templates/check.ts';
import type { Escape } from '../../templates/escape.ts';
import { checkJsonTemplate } from '../../templates/json-template.ts';
import type { Json } from '../outcome.ts';

export type Operation = 'create' | 'update' | 'transition' | 'comment';

export interface TicketParams {
  readonly operation?: Operation;
  readonly ref?: string | null;
  readonly transition?: string;
  readonly comment?: string;
  readonly on_closed?: 'fail' | 'proceed';
  readonly dedupe?: Dedupe;
}

export interface Dedupe {
  readonly key: string;
  readonly on_found?: 'comment' | 'update' | 'nothing';
  readonly comment?: string;
}

/** Parameters of tickets with named fields; `ticket` writes its own requests instead. */
export interface FieldParams extends TicketParams {
  readonly summary?: string;
  readonly description?: string;
  readonly fields?: { readonly [name: string]: Json };
}

export const text = (description: string, maxLength = 16_384): JsonSchema => ({
  type: 'string',
  minLength: 1,
  maxLength,
  description,
});

export const operationParam: JsonSchema = {
  enum: ['create', 'update', 'transition', 'comment'],
  default: 'create',
  description: 'What to do. All but create need ref.',
};

/** null is what a playbook makes of a value that is missing. */
export const refParam: JsonSchema = {
  type: ['string', 'null'],
  minLength: 1,
  maxLength: 256,
  description:
    'Ticket to change; a template, as a rule {{steps.<id>.outputs.key}} or a field of the event. Without a value the command fails.',
};

export const commentParam = text('Comment to add; a template. Also after an update or a transition.');

export const onClosedParam: JsonSchema = {
  enum: ['fail', 'proceed'],
  default: 'fail',
  description: 'What an update or a comment does to a ticket that was closed in the meantime.',
};

export const dedupeParam: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['key'],
  description:
    'For create: when an open ticket was made with the same key, that one is used instead of a second one.',
  properties: {
    key: text(
      'What makes two tickets the same, for example {{data.asset.id}}/{{data.title}}; a template.',
      2048,
    ),
    on_found: {
      enum: ['comment', 'update', 'nothing'],
      default: 'comment',
      description: 'What happens to the ticket that is there: a comment, its fields set again, or nothing.',
    },
    comment: text('Comment for on_found comment; a template. Default: the description.'),
  },
};

export const sharedParams = {
  operation: operationParam,
  ref: refParam,
  comment: commentParam,
  on_closed: onClosedParam,
  dedupe: dedupeParam,
};

/** Parameters of tickets that have a summary, a description and fields of their own. */
export const fieldParams = {
  summary: text(
    'Title, one line; a template. Default: severity and title of the finding, or the name of the search.',
    2048,
  ),
  description: text(
    'Text of the ticket; a template. Default: the facts of the finding, the fields of the row, or a table of rows.',
  ),
  fields: {
    type: 'object',
    maxProperties: 200,
    description:
      'Other fields by their API names: a JSON tree whose texts are templates. A text that is one token keeps numbers, booleans and lists of them.',
  },
};

export function operationOf(params: TicketParams): Operation {
  return params.operation ?? 'create';
}

const noted = (path: string, message: string): Issue => ({ path, message });

/** Contradictions between the operation and the other parameters; `changes` are those that an update can set. */
export function checkOperation(params: TicketParams, changes: readonly string[]): Issue[] {
  const operation = operationOf(params);
  const given = (name: string): boolean => (params as Readonly<Record<string, unknown>>)[name] !== undefined;
  const issues: Issue[] = [];
  if (operation === 'create') {
    for (const name of ['ref', 'transition', 'comment', 'on_closed'])
      if (given(name)) issues.push(noted(`/${name}`, 'cannot be set for create'));
    if (params.dedupe?.comment !== undefined && (params.dedupe.on_found ?? 'comment') !== 'comment')
      issues.push(noted('/dedupe/comment', 'needs on_found comment'));
    return issues;
  }
  if (!given('ref')) issues.push(noted('/ref', `is required for ${operation}`));
  if (given('dedupe')) issues.push(noted('/dedupe', 'is for create only'));
  if (operation === 'transition' && !given('transition'))
    issues.push(noted('/transition', 'is required for transition'));
  if (operation === 'comment' && !given('comment')) issues.push(noted('/comment', 'is required for comment'));
  if (operation === 'update' && ![...changes, 'transition', 'comment'].some(given))
    issues.push(noted('', `update needs one of ${[...changes, 'transition', 'comment'].join(', ')}`));
  if (operation !== 'update')
    for (const name of changes)
      if (given(name)) issues.push(noted(`/${name}`, `cannot be set for ${operation}; use update`));
  if (operation === 'comment' && given('transition'))
    issues.push(noted('/transition', 'cannot be set for comment; use transition or update'));
  return issues;
}

/** Template problems of the shared parameters; `body` is how values of descriptions and comments are escaped. */
export function checkTicketTemplates(params: FieldParams, body: Escape): Issue[] {
  return [
    ...checkTemplate(params.ref, 'none', '/ref'),
    ...checkTemplate(params.summary, 'header', '/summary'),
    ...checkTemplate(params.description, body, '/description'),
    ...checkTemplate(params.comment, body, '/comment'),
    ...checkTemplate(params.transition, 'none', '/transition'),
    ...checkTemplate(params.dedupe?.key, 'none', '/dedupe/key'),
    ...checkTemplate(params.dedupe?.comment, body, '/dedupe/comment'),
    ...(params.fields === undefined ? [] : checkJsonTemplate(params.fields, '/fields')),
  ];
}

/** Fields that have a parameter of their own, or that the action needs for itself. */
export function checkReserved(
  fields: FieldParams['fields'],
  reserved: Readonly<Record<string, string>>,
): Issue[] {
  return Object.keys(fields ?? {}).flatMap((name) =>
    Object.hasOwn(reserved, name) ? [noted(`/fields/${name}`, reserved[name] as string)] : [],
  );
}
