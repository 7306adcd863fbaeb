// Parameters of the Teams action as a type, the checks that its JSON Schema cannot express, and how the leaves of a card render.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Connection } from '@tocsin/schemas/types.ts';
import { chatAccess, checkNotice, type NoticeParams } from '../../domain/action/notice-params.ts';
import type { Json } from '../../domain/action/outcome.ts';
import { checkTemplate } from '../../domain/templates/check.ts';
import { checkJsonTemplate, type LeafRules, sampleJson } from '../../domain/templates/json-template.ts';
import { checkCard } from './card-schema.ts';

export interface TeamsParams extends NoticeParams {
  readonly title?: string;
  readonly text?: string;
  readonly facts?: readonly { readonly title: string; readonly value: string }[];
  readonly card?: { readonly [key: string]: Json };
}

/** Bytes of a whole message; Teams refuses larger ones, some ways into it without telling the sender. */
export const messageMaxBytes = 28 * 1024;
/** Of a text that values made long, so that one long value does not lose the message. */
const leafMax = 6_000;

const addresses: ReadonlySet<string> = new Set(['url', 'iconUrl', 'backgroundImage', 'poster']);
const isAddress = (key: string): boolean => addresses.has(key);
/** Shown as they are. */
const plain: ReadonlySet<string> = new Set([
  'altText',
  'fallbackText',
  'label',
  'placeholder',
  'speak',
  'tooltip',
  'value',
  'errorMessage',
]);

/** Only texts and addresses may have tokens, so that no value picks a type, an id or a person. */
export const cardRules: LeafRules = (trail, key) => {
  if ((trail[0] as { readonly msteams?: unknown } | undefined)?.msteams === trail[1] && trail.length > 1)
    return 'literal';
  if (isAddress(key)) return { escape: 'none', maxLength: 2048 };
  const { type } = trail.at(-1) as { readonly type?: unknown };
  if (key === 'text')
    return { escape: type === 'TextRun' ? 'chat' : 'markdown', maxLength: leafMax, empty: '-' };
  if (isFact(trail) && (key === 'title' || key === 'value'))
    return { escape: 'markdown', maxLength: leafMax, empty: '-' };
  // Titles of actions and choices.
  if (key === 'title' || plain.has(key)) return { escape: 'chat', maxLength: 1024, empty: '-' };
  // Items of `inlines` may be plain strings.
  if (/^\d+$/.test(key)) return { escape: 'chat', maxLength: leafMax, empty: '-' };
  return 'literal';
};

function isFact(trail: readonly unknown[]): boolean {
  const set = trail.at(-3) as { readonly type?: unknown } | undefined;
  return set?.type === 'FactSet';
}

/** Issues of schema-valid parameters. */
export function checkTeams(params: TeamsParams): Issue[] {
  const { card } = params;
  const issues = [
    ...checkTemplate(params.title, 'markdown', '/title'),
    ...checkTemplate(params.text, 'markdown', '/text'),
    ...(params.facts ?? []).flatMap(({ title, value }, index) => [
      ...checkTemplate(title, 'markdown', `/facts/${index}/title`),
      ...checkTemplate(value, 'markdown', `/facts/${index}/value`),
    ]),
    ...checkNotice(params),
  ];
  if (card === undefined) return issues;
  for (const name of ['title', 'text', 'facts', 'link', 'max_rows'] as const)
    if (params[name] !== undefined)
      issues.push({ path: `/${name}`, message: 'cannot be set together with card' });
  const tree = checkJsonTemplate(card, '/card', cardRules);
  if (tree.length > 0) return [...issues, ...tree];
  if (Buffer.byteLength(JSON.stringify(card)) > messageMaxBytes)
    issues.push({ path: '/card', message: `has more than ${messageMaxBytes} bytes` });
  return [
    ...issues,
    ...checkCard(sampleJson(card, isAddress), '/card'),
    ...checkAddresses(sampleJson(card, isAddress), '/card'),
  ];
}

/** Addresses that Teams would open or load and that are no web or mail addresses. */
export function checkAddresses(tree: Json, path: string, key = ''): Issue[] {
  if (typeof tree === 'string')
    return isAddress(key) && !/^(https?:\/\/|mailto:|data:image\/)/i.test(tree)
      ? [{ path, message: 'must be an http, https or mailto address' }]
      : [];
  if (tree === null || typeof tree !== 'object') return [];
  return Object.entries(tree).flatMap(([name, item]) =>
    checkAddresses(item as Json, `${path}/${name}`, name),
  );
}

export function checkTeamsConnection(connection: Connection): Issue[] {
  if (connection.type !== 'http') return [{ path: '', message: 'needs an HTTP connection' }];
  if (connection.protocol === 'http') return [{ path: '', message: 'needs a connection over https' }];
  return chatAccess(connection) === 'webhook'
    ? []
    : [{ path: '', message: 'needs a connection with secrets.secret_path, the address of the workflow' }];
}
